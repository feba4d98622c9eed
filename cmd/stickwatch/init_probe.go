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
	maxProbed      = 5                // clusters that init probes
	firstProbeTime = 30 * time.Second // for all of them
)

// printFirstReport takes a round of the clusters whose balancer and nodes answered, and prints
// the report to out. The file is written already, so a round that does not end in time is
// no error.
func printFirstReport(ctx context.Context, c console, out *os.File, cfg *config.Config, found *importer.Import, reader phrase.Reader) error {
	answering := found.Answering()
	cfg = askForNodes(ctx, cfg)
	clusters := slices.DeleteFunc(slices.Clone(cfg.Clusters), func(cluster *probes.Cluster) bool { return !slices.Contains(answering, cluster.Name) })
	var skipped []string
	for _, cluster := range cfg.Clusters {
		if !slices.Contains(clusters[:min(len(clusters), maxProbed)], cluster) {
			skipped = append(skipped, cluster.Name)
		}
	}
	clusters = clusters[:min(len(clusters), maxProbed)]
	if len(skipped) > 0 {
		why := phrase.New("no answer of a node and of the balancer")
		if len(answering) > maxProbed {
			why = phrase.New("more than %d clusters", maxProbed)
		}
		names := phrase.Quote(strings.Join(skipped[:min(len(skipped), maxProbed)], ", "))
		if more := len(skipped) - maxProbed; more > 0 {
			names = phrase.New("%s (and %d more)", names, more)
		}
		fmt.Fprintln(c.err, "stickwatch: "+render.CleanSentence(reader.Translate("not probed, %s: %s", why, names)))
	}
	if len(clusters) == 0 {
		return nil
	}
	inTime, cancel := context.WithTimeout(ctx, firstProbeTime)
	defer cancel()
	line := newStatusLine(c)
	line.log(reader.Translate("probing %s", reader.Count(len(clusters), "cluster", "clusters")))
	prober := newProber()
	prober.Progress = line.show
	r := takeRounds(inTime, prober, clusters)
	line.clear()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if inTime.Err() != nil {
		fmt.Fprintln(c.err, "stickwatch: "+reader.Translate("the probe did not end within %s", firstProbeTime))
		return nil
	}
	opts := terminalOptions(out, c.environ)
	opts.Clusters, opts.Reader = clusters, reader
	return writeResults(out, formats[0], r, opts)
}
