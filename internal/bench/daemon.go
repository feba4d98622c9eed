package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"text/tabwriter"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A daemon is the measured process.
type daemon struct {
	cmd     *exec.Cmd
	url     string
	started time.Time
}

// startDaemon starts the daemon and reads its address from its log.
func startDaemon(ctx context.Context, binary, file string) (*daemon, error) {
	cmd := exec.CommandContext(ctx, binary, "serve", "-c", file, "--admin-socket", file+".sock", "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	d := &daemon{cmd: cmd, started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, URL string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "watching" {
			d.url = line.URL
			go func() { _, _ = io.Copy(os.Stderr, log) }()
			return d, nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	return nil, errors.Join(errors.New("the daemon did not start"), cmd.Wait())
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	_ = d.cmd.Wait()
}

// reload makes the daemon reload its configuration.
func (d *daemon) reload() error { return d.cmd.Process.Signal(syscall.SIGHUP) }

// get returns the body of an answer, or an error for a status other than 200.
func (d *daemon) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s", path, res.Status)
	}
	return body, err
}

// waitFirstSweep waits until every cluster has had its first round, and returns the
// duration.
func (d *daemon) waitFirstSweep(ctx context.Context) (time.Duration, error) {
	for {
		if _, err := d.get(ctx, "-/ready"); err == nil {
			return time.Since(d.started), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A scrape is the daemon's metrics by name.
type scrape map[string]*dto.MetricFamily

func (d *daemon) scrape(ctx context.Context) (scrape, error) {
	body, err := d.get(ctx, "metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(body))
}

// sum adds up all series of a counter or a gauge.
func (s scrape) sum(name string) (total float64) {
	for _, m := range s[name].GetMetric() {
		total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return total
}

// quantile returns the upper bound of the bucket that contains a quantile of the
// observations between two scrapes.
func quantile(q float64, name string, from, to scrape) float64 {
	before := make(map[float64]uint64)
	for _, m := range from[name].GetMetric() {
		for _, b := range m.GetHistogram().GetBucket() {
			before[b.GetUpperBound()] = b.GetCumulativeCount()
		}
	}
	for _, m := range to[name].GetMetric() {
		h := m.GetHistogram()
		all := float64(h.GetSampleCount() - before[math.Inf(1)])
		for _, b := range h.GetBucket() {
			if float64(b.GetCumulativeCount()-before[b.GetUpperBound()]) >= q*all {
				return b.GetUpperBound()
			}
		}
	}
	return math.NaN()
}

// wait waits for the duration of the measurement, and returns the number of reloads.
func (o options) wait(ctx context.Context, d *daemon) (reloaded int, err error) {
	over := time.After(o.length)
	scrapes, stopScrapes := every(o.scrape)
	defer stopScrapes()
	reloads, stopReloads := every(o.reload)
	defer stopReloads()
	for {
		select {
		case <-ctx.Done():
			return reloaded, ctx.Err()
		case <-over:
			return reloaded, nil
		case <-scrapes:
			if _, err := d.get(ctx, "metrics"); err != nil {
				return reloaded, err
			}
		case <-reloads:
			if err := d.reload(); err != nil {
				return reloaded, err
			}
			reloaded++
		}
	}
}

// every returns a ticker's channel; nil for an interval of 0.
func every(interval time.Duration) (ticks <-chan time.Time, stop func()) {
	if interval == 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval)
	return ticker.C, ticker.Stop
}

// report waits and prints the measures.
func (o options) report(ctx context.Context, d *daemon, history string) error {
	swept, err := d.waitFirstSweep(ctx)
	if err != nil {
		return fmt.Errorf("waiting for the first sweep: %w", err)
	}
	first, err := d.scrape(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	fmt.Fprintf(os.Stderr, "the first sweep took %s; measuring for %s\n", swept.Round(10*time.Millisecond), o.length)
	reloads, err := o.wait(ctx, d)
	if err != nil {
		return err
	}
	last, err := d.scrape(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	grew := func(name string) float64 { return last.sum(name) - first.sum(name) }
	info, err := os.Stat(history)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"targets", fmt.Sprintf("%d every %s, in %d clusters", o.clusters*(o.nodes+1), o.every, o.clusters)},
		{"first sweep", fmt.Sprintf("%.1f s", swept.Seconds())},
		{"schedule lag, p99", fmt.Sprintf("at most %.0f ms", 1000*quantile(.99, "stickwatch_schedule_lag_seconds", first, last))},
		{"reloads meanwhile", fmt.Sprint(reloads)},
		{"runs skipped", fmt.Sprintf("%.0f", grew("stickwatch_jobs_skipped_total"))},
		{"probes", fmt.Sprintf("%.0f a second", grew("stickwatch_probes_total")/took)},
		{"processor", fmt.Sprintf("%.1f %% of a core", 100*grew("process_cpu_seconds_total")/took)},
		{"memory (RSS)", fmt.Sprintf("%.0f MB", last.sum("process_resident_memory_bytes")/1e6)},
		{"incidents", fmt.Sprintf("%.0f fired, %.0f notices wait", grew("stickwatch_incidents_total"), last.sum("stickwatch_notification_queue_length"))},
		{"history", fmt.Sprintf("%.1f MB after %.0f probes", float64(info.Size())/1e6, last.sum("stickwatch_probes_total"))},
	} {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	return w.Flush()
}
