package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/importer"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

const (
	maxPictured = 5                // clusters that init probes
	pictureTime = 30 * time.Second // for all of them
)

// printPicture takes a round of the clusters whose balancer and nodes answered, and prints
// the report to out. The file is written already, so a round that does not end in time is
// no error.
func printPicture(ctx context.Context, c console, out *os.File, cfg *config.Config, found *importer.Import) error {
	answering := found.Answering()
	cfg = askForNodes(ctx, cfg)
	clusters := slices.DeleteFunc(slices.Clone(cfg.Clusters), func(cluster *probes.Cluster) bool { return !slices.Contains(answering, cluster.Name) })
	var left []string
	for _, cluster := range cfg.Clusters {
		if !slices.Contains(clusters[:min(len(clusters), maxPictured)], cluster) {
			left = append(left, cluster.Name)
		}
	}
	clusters = clusters[:min(len(clusters), maxPictured)]
	if len(left) > 0 {
		why := "no answer of a node and of the balancer"
		if len(answering) > maxPictured {
			why = fmt.Sprintf("more than %d clusters", maxPictured)
		}
		fmt.Fprintln(c.err, "stickwatch: not probed, "+why+": "+render.CleanSentence(strings.Join(left[:min(len(left), maxPictured)], ", "))+
			more(len(left)-maxPictured))
	}
	if len(clusters) == 0 {
		return nil
	}
	inTime, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	line := newStatusLine(c)
	line.log("probing " + phrase.Reader{}.Count(len(clusters), "cluster", "clusters"))
	prober := newProber()
	prober.Progress = line.show
	r := takeRounds(inTime, prober, clusters)
	line.clear()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if inTime.Err() != nil {
		fmt.Fprintf(c.err, "stickwatch: the probe did not end within %s\n", pictureTime)
		return nil
	}
	opts := terminalOptions(out, c.environ)
	opts.Clusters = clusters
	return writeResults(out, formats[0], r, opts)
}

// more says how many names are not listed; "" for none.
func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
