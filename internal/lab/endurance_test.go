package lab

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/demo"
	"stickwatch/internal/history"
	"stickwatch/internal/notify"
)

// A fault is a temporary fault.
type fault struct {
	name  string
	cause checks.Code // finding that explains the others
	too   []checks.Code
	begin func(*rig)
	end   func(*rig)
}

// on returns a fault of node2.
func on(name string, cause checks.Code, change func(*demo.NodeFaults), too ...checks.Code) fault {
	return fault{
		name: name, cause: cause, too: too,
		begin: func(r *rig) { r.nodes[1].Change(change) },
		end:   func(r *rig) { r.nodes[1].Set(demo.NodeFaults{}) },
	}
}

// faults are the possible faults, with the cause and the findings that it may explain.
var faults = []fault{
	{
		name: "node stopped", cause: checks.NodeDown, too: []checks.Code{checks.NodeEjected, checks.SessionLost, checks.SessionDrift},
		begin: func(r *rig) { r.nodes[1].Stop() },
		end: func(r *rig) {
			if err := r.nodes[1].Start(); err != nil {
				r.tb.Error(err)
			}
		},
	},
	{
		name: "Redis stopped", cause: checks.DependencyDown,
		begin: func(r *rig) { r.redis.Stop() }, end: func(r *rig) { r.redis.Start() },
	},
	{
		name: "balancer stopped", cause: checks.BalancerDown,
		begin: func(r *rig) { r.front.Stop() }, end: func(r *rig) { r.front.(*NginxBalancer).Start() },
	},
	on("node paused", checks.NodePaused, func(f *demo.NodeFaults) { f.Paused = "maintenance" }),
	on("node forgets", checks.SessionLost, func(f *demo.NodeFaults) { f.Forgetful = true }),
	on("other version", checks.VersionSkew, func(f *demo.NodeFaults) { f.Version = "9.9.9" }),
	on("other settings", checks.SettingsSkew, func(f *demo.NodeFaults) { f.Scaling = "off" }),
	on("clock ahead", checks.ClockSkew, func(f *demo.NodeFaults) { f.ClockOffset = time.Hour }),
	on("node slow", checks.Slow, func(f *demo.NodeFaults) { f.Delay = 700 * time.Millisecond }),
	on("node hangs", checks.NodeDown, func(f *demo.NodeFaults) { f.Mode = demo.Hang }, checks.NodeEjected, checks.SessionLost, checks.SessionDrift),
}

// An injectedFault is a fault with its period.
type injectedFault struct {
	fault
	checks.Span
}

// enduranceTime returns the duration of TestEndurance, from STICKWATCH_ENDURANCE.
func enduranceTime(t *testing.T) time.Duration {
	text := os.Getenv("STICKWATCH_ENDURANCE")
	if text == "" {
		return 45 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEndurance runs a daemon with a real nginx and a real Redis during random faults.
// Its history must contain every fault, with a start and an end that are not too early,
// and nothing else.
func TestEndurance(t *testing.T) {
	t.Parallel()
	const status = 2 * time.Second
	r := newRig(t, fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))], plan{redis: true, front: frontPlan{failTimeout: 2 * time.Second}})
	path := filepath.Join(t.TempDir(), "history.db")
	found, end := r.daemon(t, path, status)
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	var all []injectedFault
	for began := time.Now(); time.Since(began) < enduranceTime(t); {
		one := injectedFault{fault: faults[random.IntN(len(faults))]}
		one.From = time.Now()
		one.begin(r)
		time.Sleep(4*status + time.Duration(random.Int64N(int64(2*status))))
		found(one.cause)
		one.end(r)
		one.To = time.Now()                                                // servers take a while to start
		time.Sleep(4*status + time.Duration(random.Int64N(int64(status)))) // nginx readmits every node, and the incident ends
		all = append(all, one)
	}
	end()
	judgeEndurance(t, all, findingSpans(t, path), status)
}

// daemon watches the rig until end is called. found waits until a finding is active, for
// a minute at most: two rounds of a slow node take long.
func (r *rig) daemon(t *testing.T, path string, every time.Duration) (found func(checks.Code), end func()) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, `
listen: 127.0.0.1:0
history: {url: "sqlite:%s"}
intervals: {canary: 1s, status: %[2]s, pages: %[2]s, dependencies: %[2]s}
alerting: {for: {warning: 0s}, resolve_after: 1s}
clusters:
  - name: lab
    timeout: 1s
    slow: 500ms
    budget: {requests_per_second: 1000, concurrent: 32}
    status: {path: /status, settings: [scaling]}
    balancer: {url: %[3]q, method: ip_hash, fail_timeout: 2s, client_ip_header: %[4]s}
    dependencies: [{name: Redis Server, url: %[5]q}]
    nodes:
`, path, every, r.front.URL(), clientHeader, r.redis.URL())
	for _, n := range r.nodes {
		fmt.Fprintf(&text, "      - {id: %s, url: %q}\n", n.ID(), n.URL())
	}
	d, err := daemon.Start(t.Context(), daemon.Config{
		Load: func() (*config.Config, error) {
			return config.Parse("stickwatch.yml", []byte(text.String()), func(string) (string, bool) { return "", false })
		},
		Prober: r.prober(), Logger: slog.New(slog.DiscardHandler),
		Notifier: func(config.Receiver, config.Alerting) (alerting.Notifier, error) {
			return notify.RemovedReceiver{}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	await(t, "the first round", func() bool { return !d.Snapshots()[0].Report.Started.IsZero() })
	found = func(code checks.Code) {
		for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
			if slices.ContainsFunc(d.Snapshots()[0].ActiveFindings, func(f checks.ActiveFinding) bool { return f.Code == code }) {
				return
			}
		}
	}
	return found, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// A findingSpan is the period of a finding; the end is zero while it is active.
type findingSpan struct {
	checks.Finding
	checks.Span
}

// findingSpans returns the root findings of a history, the oldest first. Incidents are
// not suitable, because a flapping finding is a single incident.
func findingSpans(t *testing.T, path string) []findingSpan {
	t.Helper()
	reader, err := history.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	changes, err := reader.Changes(t.Context(), "", checks.Span{To: time.Now()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(changes)
	var list []findingSpan
	for _, c := range changes {
		if !c.Severity.AtLeast(checks.Warning) {
			continue
		}
		switch c.Kind {
		case checks.Appeared:
			list = append(list, findingSpan{c.Finding, checks.Span{From: c.At}})
		case checks.Gone:
			for i := range list {
				if list[i].Key() == c.Key() && list[i].To.IsZero() {
					list[i].To = c.At
				}
			}
		}
	}
	return slices.DeleteFunc(list, func(h findingSpan) bool { return h.ExplainedBy != "" })
}

// judgeEndurance requires a finding for each fault, and no others.
func judgeEndurance(t *testing.T, all []injectedFault, findings []findingSpan, interval time.Duration) {
	t.Helper()
	var late, over []time.Duration
	for n, one := range all {
		until := time.Now()
		if n+1 < len(all) {
			until = all[n+1].From
		}
		mine := slices.DeleteFunc(slices.Clone(findings), func(h findingSpan) bool { return h.From.Before(one.From) || !h.From.Before(until) })
		at := slices.IndexFunc(mine, func(h findingSpan) bool { return h.Code == one.cause })
		if at < 0 {
			t.Errorf("%s from %s to %s: got %s, want %s", one.name, clock(one.From), clock(one.To), formatSpans(mine), one.cause)
			continue
		}
		begin, end := mine[at].From.Sub(one.From), mine[at].To.Sub(one.To)
		t.Logf("%-16s began %.1f s late, ended %.1f s late", one.name, begin.Seconds(), end.Seconds())
		late, over = append(late, begin), append(over, end)
		if mine[at].To.IsZero() || end < -interval {
			t.Errorf("%s from %s to %s: got %s", one.name, clock(one.From), clock(one.To), formatSpans(mine[at:at+1]))
		}
		for _, h := range slices.Delete(mine, at, at+1) {
			// The loss caused by an outage is reported after it has settled, possibly
			// during the next fault.
			cost := h.Code == checks.NodeRestarted || h.Code == checks.NodeDown && h.Target == "sessions lost"
			if h.Code != one.cause && !slices.Contains(one.too, h.Code) && !cost {
				t.Errorf("%s from %s to %s: invented %s", one.name, clock(one.From), clock(one.To), formatSpans([]findingSpan{h}))
			}
		}
	}
	t.Logf("%d troubles, %d findings, at an interval of %s\n%s", len(all), len(findings), interval, formatDelays(late, over))
}

// formatDelays formats the delays of starts and ends.
func formatDelays(late, over []time.Duration) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tmedian\tp95\tworst")
	for name, list := range map[string][]time.Duration{"began late by": late, "ended late by": over} {
		if len(list) == 0 {
			continue
		}
		slices.Sort(list)
		at := func(q float64) time.Duration { return list[int(q*float64(len(list)-1))].Round(10 * time.Millisecond) }
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, at(.5), at(.95), at(1))
	}
	_ = w.Flush()
	return b.String()
}

func formatSpans(list []findingSpan) string {
	var texts []string
	for _, h := range list {
		texts = append(texts, fmt.Sprintf("%s %s to %s", h.Key(), clock(h.From), clock(h.To)))
	}
	return fmt.Sprintf("%q", texts)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }
