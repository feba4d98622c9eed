package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"stickwatch/internal/sleep"
)

// instances is the number of instances of the measured fleet.
const instances = 3

// measureFleet runs three instances for a while, kills one, and prints the measures.
func (o options) measureFleet(ctx context.Context, folder, clusters string) error {
	key := filepath.Join(folder, "fleet.key")
	if err := os.WriteFile(key, []byte(hex.EncodeToString(bytes.Repeat([]byte{1}, 32))), 0o600); err != nil {
		return err
	}
	var all []*daemon
	defer func() {
		for _, d := range all {
			d.stop()
		}
	}()
	for n := range instances {
		file := filepath.Join(folder, fmt.Sprintf("mon%d.yml", n))
		text := o.file(o.fleet) + fmt.Sprintf("fleet: {instance: mon%d, key_file: %q}\n", n, key) + clusters
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		d, err := startDaemon(ctx, o.binary, file)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	shared, err := o.waitAll(ctx, evenQuery)
	if err != nil {
		return fmt.Errorf("waiting for all clusters to be watched: %w", err)
	}
	for _, d := range all {
		if _, err := d.waitFirstSweep(ctx); err != nil {
			return fmt.Errorf("waiting for the first sweep: %w", err)
		}
	}
	fmt.Fprintf(os.Stderr, "the clusters are shared out after %s; measuring for %s\n", shared.Round(10*time.Millisecond), o.length)
	return o.reportFleet(ctx, all)
}

// Conditions of the database, as queries for a number of clusters: those that are shared out evenly, those
// that another instance than the named one watches, and those with a state of their owner.
const (
	evenQuery  = "SELECT CASE WHEN max(n) <= sum(n) / 3 + 2 THEN sum(n) ELSE 0 END FROM (SELECT count(*) AS n FROM leases WHERE cluster <> '' AND owner <> '' GROUP BY owner) AS shares"
	ownedQuery = "SELECT count(*) FROM leases WHERE cluster <> '' AND owner <> '' AND owner <> '%s'"
	stateQuery = "SELECT count(*) FROM snapshots s JOIN leases l USING (cluster) WHERE s.at > l.since"
)

// waitAll waits until a query counts all clusters, and returns the duration.
func (o options) waitAll(ctx context.Context, query string) (time.Duration, error) {
	began := time.Now()
	for {
		var n int
		if err := o.ask(ctx, query, &n); err != nil || n == o.clusters {
			return time.Since(began), err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask runs a query with one row.
func (o options) ask(ctx context.Context, query string, into ...any) error {
	out, err := exec.CommandContext(ctx, "psql", "-XAqt", "-F", " ", "-d", o.fleet, "-c", query).Output()
	if err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	_, err = fmt.Sscan(string(out), into...)
	return err
}

// A databaseState are the counters of the database.
type databaseState struct{ rows, size float64 }

func (o options) database(ctx context.Context) (s databaseState, err error) {
	const query = "SELECT sum(n_tup_ins + n_tup_upd), pg_database_size(current_database()) FROM pg_stat_user_tables"
	err = o.ask(ctx, query, &s.rows, &s.size)
	return s, err
}

// request requests pages of an instance once a second until ctx ends, and returns the sorted durations.
func request(ctx context.Context, d *daemon, path string) (took []time.Duration) {
	for range sleep.Every(ctx, time.Second) {
		began := time.Now()
		if _, err := d.get(ctx, path); err == nil {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	return took
}

// requested are the pages whose duration is measured.
var requested = []string{"", "clusters/cluster000", "api/v1/clusters", "api/v1/history?cluster=cluster000&since=24h"}

// fleetMeasures are the counters of the database and of each instance before and after a span, and
// the durations of requests meanwhile, by page.
type fleetMeasures struct {
	before, after databaseState
	first, last   []scrape
	seconds       float64
	durations     [][]time.Duration
}

// reportFleet waits, kills an instance, and prints the measures.
func (o options) reportFleet(ctx context.Context, all []*daemon) error {
	m, err := o.measureAll(ctx, all)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("targets", "%d every %s, in %d clusters", o.clusters*(o.nodes+1), o.every, o.clusters)
	m.print(row)
	if err := w.Flush(); err != nil {
		return err
	}
	taken, probed, err := o.takeover(ctx, all[0])
	if err != nil {
		return err
	}
	row("kill -9 of an instance", "its %.0f clusters are taken over after %.1f s, and have new states after %.1f s",
		m.last[0].sum("stickwatch_lease_owner"), taken.Seconds(), (taken + probed).Seconds())
	return w.Flush()
}

func (o options) measureAll(ctx context.Context, all []*daemon) (m fleetMeasures, err error) {
	m.before, err = o.database(ctx)
	if err != nil {
		return m, err
	}
	if m.first, err = scrapeAll(ctx, all); err != nil {
		return m, err
	}
	began := time.Now()
	measuring, stop := context.WithTimeout(ctx, o.length)
	defer stop()
	m.durations = make([][]time.Duration, len(requested))
	var requests sync.WaitGroup
	for n, path := range requested {
		requests.Go(func() { m.durations[n] = request(measuring, all[0], path) })
	}
	requests.Wait()
	if err := ctx.Err(); err != nil {
		return m, err
	}
	if m.after, err = o.database(ctx); err != nil {
		return m, err
	}
	m.last, err = scrapeAll(ctx, all)
	m.seconds = time.Since(began).Seconds()
	return m, err
}

func scrapeAll(ctx context.Context, all []*daemon) (scrapes []scrape, err error) {
	for _, d := range all {
		s, err := d.scrape(ctx)
		if err != nil {
			return nil, err
		}
		scrapes = append(scrapes, s)
	}
	return scrapes, nil
}

func (m fleetMeasures) print(row func(name, format string, args ...any)) {
	probes := 0.0
	for n, first := range m.first {
		last := m.last[n]
		grew := func(name string) float64 { return last.sum(name) - first.sum(name) }
		probes += grew("stickwatch_probes_total")
		row(fmt.Sprint("instance ", n+1), "%.0f clusters, %.1f %% of a core, %.0f MB, schedule lag p99 at most %.0f ms, %.0f rows dropped",
			last.sum("stickwatch_lease_owner"), 100*grew("process_cpu_seconds_total")/m.seconds, last.sum("process_resident_memory_bytes")/1e6,
			1000*quantile(.99, "stickwatch_schedule_lag_seconds", first, last), grew("stickwatch_history_dropped_total"))
	}
	row("probes", "%.0f a second", probes/m.seconds)
	row("rows written or changed", "%.0f a second", (m.after.rows-m.before.rows)/m.seconds)
	row("database", "%.1f MB, grew by %.0f bytes a probe", m.after.size/1e6, (m.after.size-m.before.size)/probes)
	for n, path := range requested {
		if list := m.durations[n]; len(list) > 0 {
			row("/"+path, "p50 %d ms, p95 %d ms", list[len(list)/2].Milliseconds(), list[(len(list)-1)*95/100].Milliseconds())
		}
	}
}

// takeover kills the first instance, and returns when others watched its clusters, and how much later
// these had new states.
func (o options) takeover(ctx context.Context, first *daemon) (taken, probed time.Duration, err error) {
	if err := first.cmd.Process.Kill(); err != nil {
		return 0, 0, err
	}
	_ = first.cmd.Wait()
	if taken, err = o.waitAll(ctx, fmt.Sprintf(ownedQuery, "mon0")); err != nil {
		return 0, 0, err
	}
	probed, err = o.waitAll(ctx, stateQuery)
	return taken, probed, err
}
