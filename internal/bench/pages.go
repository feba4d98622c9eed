package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/history"
)

// Of the made-up past, whose clusters are watched while the pages are read.
const (
	pastDays  = 90
	dailyRows = 20 // moves of sessions in each cluster
	// detailed is the number of clusters that have all their single probes and sums by minute, of which no
	// page reads more than those of one cluster. Others have those of the last hour: all would take hours to write.
	detailed = 3
)

// pageRequests are the measured requests. %s is a cluster.
var pageRequests = []string{
	"", "clusters/%s", "clusters/%s?range=1h", "clusters/%s?range=24h", "clusters/%s?range=7d", "clusters/%s?range=30d", "clusters/%s?range=90d",
	"incidents", "incidents?cluster=%s", "incidents/{id}", "incidents.csv", "report?month={month}",
	"api/v1/clusters", "api/v1/clusters/%s", "api/v1/incidents", "api/v1/incidents?cluster=%s", "api/v1/incidents/{id}",
	"api/v1/history?cluster=%s", "api/v1/history?cluster=%s&since=7d", "api/v1/history?cluster=%s&since=90d",
	"api/v1/history?cluster=%s&since=90d&target=node1", "api/v1/report?month={month}",
	"api/v1/silences", "api/v1/deployments", "api/v1/openapi.json", "metrics",
}

var namedCluster = regexp.MustCompile(`name: (\S+)\n    balancer: \{url: "http://([^"]*)"`)

// measurePages fills a history, watches its clusters, and prints how long pages and answers of the API
// take meanwhile.
func (o options) measurePages(ctx context.Context, folder, clusters string) error {
	past := history.MadeUpPast{End: time.Now(), Days: pastDays, Interval: 10 * time.Second, Moves: dailyRows, Incidents: 1}
	var names []string
	for _, found := range namedCluster.FindAllStringSubmatch(clusters, -1) {
		name, address := found[1], found[2]
		names = append(names, name)
		add := func(kind checks.TargetKind, target string) {
			past.Targets = append(past.Targets, checks.Target{Cluster: name, Kind: kind, Name: target})
		}
		add(checks.TargetBalancer, "http://"+address+" "+address)
		for n := range o.nodes {
			for _, kind := range []checks.TargetKind{checks.TargetNode, checks.TargetCanary, checks.TargetSession} {
				add(kind, fmt.Sprint("node", n+1))
			}
		}
	}
	past.Detailed = func(t checks.Target) bool { return slices.Index(names, t.Cluster) < detailed }
	file, path := filepath.Join(folder, "pages.yml"), o.pages
	if path == "sqlite" {
		path = "sqlite:" + filepath.Join(folder, "pages.db")
	}
	began := time.Now()
	if err := history.Fill(ctx, history.Config{Path: strings.TrimPrefix(path, "sqlite:"), Queue: 1 << 20}, past); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "the history is filled after %s\n", time.Since(began).Round(time.Second))
	if err := os.WriteFile(file, []byte(o.file(path)+clusters), 0o600); err != nil {
		return err
	}
	d, err := startDaemon(ctx, o.binary, file)
	if err != nil {
		return err
	}
	defer d.stop()
	if _, err := d.waitFirstSweep(ctx); err != nil {
		return fmt.Errorf("waiting for the first sweep: %w", err)
	}
	return o.readPages(ctx, d, names, past)
}

// readPages requests every page again and again, that of a cluster rarely enough to be read from the
// history each time, and prints the durations.
func (o options) readPages(ctx context.Context, d *daemon, names []string, past history.MadeUpPast) error {
	const cached, least = 11 * time.Second, 100 * time.Millisecond
	took, size, worked := make([][]time.Duration, len(pageRequests)), make([]int, len(pageRequests)), make([]time.Duration, len(pageRequests))
	ends := time.Now().Add(o.length)
	for n := 0; time.Now().Before(ends); n++ {
		name := names[n%len(names)]
		incident := history.MadeUpIncident(name, n%past.Days)
		for i, path := range pageRequests {
			path = strings.NewReplacer("%s", name, "{id}", incident, "{month}", past.End.AddDate(0, -1, 0).Format("2006-01")).Replace(path)
			began, before := time.Now(), d.processor()
			bytes, err := d.getCompressed(ctx, path)
			if err != nil {
				return err
			}
			took[i], size[i] = append(took[i], time.Since(began)), max(size[i], bytes)
			worked[i] += d.processor() - before
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(least, cached/time.Duration(len(names)))):
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "request\tp50\tp95\tleast\tprocessor\tcompressed\n")
	for i, path := range pageRequests {
		slices.Sort(took[i])
		at := func(q int) float64 { return float64(took[i][(len(took[i])-1)*q/100].Microseconds()) / 1000 }
		work := float64(worked[i].Microseconds()) / 1000 / float64(len(took[i]))
		fmt.Fprintf(w, "/%s\t%.1f ms\t%.1f ms\t%.1f ms\t%.1f ms\t%.1f KB\n", strings.ReplaceAll(path, "%s", "CLUSTER"), at(50), at(95), at(0), work, float64(size[i])/1000)
	}
	return w.Flush()
}

// processor returns the processor time of the daemon so far, of which a busy machine takes nothing; 0 where
// the system does not report.
func (d *daemon) processor() (total time.Duration) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.cmd.Process.Pid))
	for _, thread := range threads {
		var ns int64
		if text, err := os.ReadFile(thread); err == nil {
			_, _ = fmt.Sscan(string(text), &ns)
		}
		total += time.Duration(ns)
	}
	return total
}

// getCompressed returns the size of an answer as it is transferred.
func (d *daemon) getCompressed(ctx context.Context, path string) (size int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return int(n), err
}
