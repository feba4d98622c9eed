package lab

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
)

// A fault is a temporary fault of a target.
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

// targetFaults are faults of targets, with the cause and the findings that it may explain.
var targetFaults = []fault{
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
	on("node slow", checks.Slow, func(f *demo.NodeFaults) { f.Delay = 2800 * time.Millisecond }),
	on("node hangs", checks.NodeDown, func(f *demo.NodeFaults) { f.Mode = demo.Hang }, checks.NodeEjected, checks.SessionLost, checks.SessionDrift),
}

// An ownFault is a temporary fault of stickwatch's own machine, disk or receiver. Only
// those with a cause are notified.
type ownFault struct {
	name  string
	cause checks.Code // "": it must not be noticed
	begin func(*soak)
	end   func(*soak)
}

func slackFault(name string, f slacktest.Fault) ownFault {
	return ownFault{name: name, begin: func(s *soak) { s.slack.Fail(f) }, end: func(s *soak) { s.slack.ClearFaults() }}
}

var ownFaults = []ownFault{
	slackFault("Slack answers 500", slacktest.Fault{Status: http.StatusInternalServerError, Times: -1}),
	slackFault("Slack resets connections", slacktest.Fault{Reset: true, Times: -1}),
	slackFault("Slack loses answers", slacktest.Fault{Method: "chat.postMessage", LoseResponse: true, Times: 2}),
	slackFault("Slack is slow", slacktest.Fault{Latency: 3 * time.Second, Times: -1}),
	slackFault("Slack limits the rate", slacktest.Fault{Status: http.StatusTooManyRequests, RetryAfter: "2", Times: -1}),
	{name: "disk accepts nothing", begin: (*soak).lockHistory, end: func(s *soak) { s.unlock() }},
	{name: "killed", begin: func(s *soak) { s.sumUp(); s.daemon.Kill() }, end: func(s *soak) { s.daemon.Start() }},
	{name: "frozen", begin: func(s *soak) { s.daemon.Suspend() }, end: func(s *soak) { s.daemon.Resume() }},
	{name: "reloads", begin: func(s *soak) { s.signal(syscall.SIGHUP) }, end: func(s *soak) { s.signal(syscall.SIGHUP) }},
	{name: "no descriptors", cause: checks.ProberImpaired, begin: func(s *soak) { s.limitDescriptors(3) }, end: func(s *soak) { s.limitDescriptors(1000) }},
}

// An injectedFault has the faults of a period.
type injectedFault struct {
	target *fault // nil: none
	own    *ownFault
	checks.Span
	since time.Time // when its findings start at the earliest
}

func (f injectedFault) String() string {
	var names []string
	if f.target != nil {
		names = append(names, f.target.name)
	}
	if f.own != nil {
		names = append(names, f.own.name)
	}
	return fmt.Sprintf("%s from %s to %s", strings.Join(names, " while "), clock(f.From), clock(f.To))
}

// soakTime returns the duration of TestSoak, from STICKWATCH_SOAK.
func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("STICKWATCH_SOAK")
	if text == "" {
		return 45 * time.Second
	}
	d, err := time.ParseDuration(text)
	must.Succeed(t, err)
	return d
}

// TestSoak runs the program with a real nginx and a real Redis during random faults of
// the targets, of its disk, of Slack and of the program itself. Every fault must be
// found, with a start and an end that are not too early, and nothing else; no message
// may be lost or repeated, and no resource may grow.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := startSoak(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	began, before := time.Now(), s.gauges()
	for all := soakTime(t); time.Since(began) < all; {
		injected := injectedFault{}
		if random.IntN(5) > 0 {
			injected.target = &targetFaults[random.IntN(len(targetFaults))]
		}
		if injected.target == nil || random.IntN(2) == 0 {
			injected.own = &ownFaults[random.IntN(len(ownFaults))]
			if injected.own.cause != "" {
				injected.target = nil // stickwatch cannot find anything then
			}
		}
		s.inject(t, injected, random)
	}
	s.settle(t)
	after := s.gauges()
	s.sumUp()
	s.daemon.Stop()
	s.report(t, time.Since(began), before, after)
}

// inject causes faults for a while, and waits until they are found and over.
func (s *soak) inject(t *testing.T, injected injectedFault, random *rand.Rand) {
	injected.From = time.Now()
	// A finding starts with the round that found it, which may have been under way.
	injected.since = injected.From.Add(-s.status)
	if n := len(s.faults); n > 0 && injected.since.Before(s.faults[n-1].To) {
		injected.since = s.faults[n-1].To // earlier findings are those of the last fault
	}
	if injected.target != nil {
		injected.target.begin(s.rig)
	}
	if injected.own != nil {
		injected.own.begin(s)
	}
	time.Sleep(2*s.status + time.Duration(random.Int64N(int64(2*s.status))))
	if injected.own != nil {
		if injected.own.cause != "" {
			s.awaitWithin(time.Minute, func() bool {
				return s.impaired(t, injected.own.cause, checks.Span{From: injected.since, To: time.Now()})
			})
		}
		injected.own.end(s)
	}
	if injected.target != nil {
		s.awaitWithin(time.Minute, func() bool { return s.hasFinding(t, injected.target.cause, injected.since) })
		injected.target.end(s.rig)
	}
	injected.To = time.Now() // servers take a while to start
	// Three restarts within five minutes are a crash loop, which is active for two minutes.
	const healthy = 4 * time.Minute
	if !s.awaitWithin(healthy, func() bool { return s.quietSince(t, injected.To) }) {
		t.Errorf("%s: the cluster is not healthy within %s", injected, healthy)
	}
	s.faults = append(s.faults, injected)
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
	must.Succeed(t, err)
	defer reader.Close()
	changes, err := reader.Changes(t.Context(), "", checks.Span{To: time.Now()}, 0)
	must.Succeed(t, err)
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

// A soakBalance counts what was injected and what became of it.
type soakBalance struct {
	targets, own        int
	found, missed       int
	invented            int
	late, over          []time.Duration
	lost, doubled, dead int // messages
	fired               int // incidents
}

// balance compares the faults with the history and the channel.
func (s *soak) balance(t *testing.T) soakBalance {
	t.Helper()
	b := soakBalance{}
	findings := findingSpans(t, s.path)
	for n, injected := range s.faults {
		until := time.Now().Add(time.Hour)
		if n+1 < len(s.faults) {
			until = s.faults[n+1].since
		}
		mine := slices.DeleteFunc(slices.Clone(findings), func(h findingSpan) bool { return h.From.Before(injected.since) || !h.From.Before(until) })
		if injected.own != nil {
			b.own++
			if injected.own.cause != "" {
				b.count(t, injected, s.impaired(t, injected.own.cause, checks.Span{From: injected.since, To: until}))
			}
		}
		if injected.target != nil {
			b.targets++
			mine = b.match(t, injected, mine)
		}
		for _, h := range mine {
			// The loss caused by an outage is reported after it has settled, possibly
			// during the next fault.
			cost := h.Code == checks.NodeRestarted || h.Code == checks.NodeDown && h.Target == "sessions lost"
			if !cost {
				b.invented++
				t.Errorf("%s: invented %s", injected, formatSpans([]findingSpan{h}))
			}
		}
	}
	return b
}

// match removes the findings of a target's fault from a list.
func (b *soakBalance) match(t *testing.T, injected injectedFault, mine []findingSpan) []findingSpan {
	t.Helper()
	at := slices.IndexFunc(mine, func(h findingSpan) bool { return h.Code == injected.target.cause })
	b.count(t, injected, at >= 0)
	if at < 0 {
		return mine
	}
	if mine[at].To.IsZero() || injected.own == nil && mine[at].To.Before(injected.To.Add(-5*time.Second)) {
		t.Errorf("%s: got %s", injected, formatSpans(mine[at:at+1]))
	}
	if injected.own == nil {
		b.late, b.over = append(b.late, mine[at].From.Sub(injected.From)), append(b.over, mine[at].To.Sub(injected.To))
	}
	return slices.DeleteFunc(mine, func(h findingSpan) bool {
		return h.Code == injected.target.cause || slices.Contains(injected.target.too, h.Code)
	})
}

func (b *soakBalance) count(t *testing.T, injected injectedFault, found bool) {
	t.Helper()
	if found {
		b.found++
		return
	}
	b.missed++
	t.Errorf("%s: missed", injected)
}

// messages compares the incidents that fired with the messages in the channel.
func (s *soak) messages(t *testing.T, b *soakBalance) {
	t.Helper()
	seen := make(map[string]int)
	for _, m := range s.slack.Messages() {
		if m.Thread == "" {
			seen[noticeOf(m)]++
		}
	}
	for id, n := range seen {
		if n > 1 {
			b.doubled += n - 1
			t.Errorf("%s was said %d times", id, n)
		}
	}
	for _, i := range s.incidents(t) {
		if i.Fired.IsZero() {
			continue
		}
		b.fired++
		if seen[alerting.NotificationID(i.ID, "ops", 1)] == 0 {
			b.lost++
			t.Errorf("there is no message about %s %s", i.ID, i.Cause.Key())
		}
	}
	withReader(t, s.path, func(ctx context.Context, r *history.Reader) error {
		dead, err := r.DeadLetters(ctx, 0)
		b.dead = len(dead)
		return err
	})
}

// report prints the balance and fails for what is not zero.
func (s *soak) report(t *testing.T, took time.Duration, before, after map[string]float64) {
	t.Helper()
	b := s.balance(t)
	s.messages(t, &b)
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(w, "%s\t%v\n", name, value) }
	row("duration", took.Round(time.Second))
	row("faults of targets", b.targets)
	row("faults of disk, receiver and stickwatch", b.own)
	row("found", b.found)
	row("missed", b.missed)
	row("invented", b.invented)
	row("incidents notified", b.fired)
	row("messages lost", b.lost)
	row("messages doubled", b.doubled)
	row("dead letters", b.dead)
	row("jobs started", s.sums["stickwatch_schedule_lag_seconds_count"])
	row("jobs more than 1 s late", s.sums["stickwatch_schedule_lag_seconds_count"]-s.sums[`stickwatch_schedule_lag_seconds_bucket{le="1"}`])
	row("rows lost", s.sums["stickwatch_history_dropped_total"])
	row("panics", s.sums["stickwatch_panics_total"])
	for _, g := range []struct {
		name, metric string
		unit         float64
	}{{"goroutines", "go_goroutines", 1}, {"descriptors", "process_open_fds", 1}, {"memory in MB", "process_resident_memory_bytes", 1e6}} {
		from, to := before[g.metric]/g.unit, after[g.metric]/g.unit
		row(g.name, fmt.Sprintf("%.0f at the beginning, %.0f at the end", from, to))
		if to > 2*from+50 {
			t.Errorf("%s grew from %.0f to %.0f", g.name, from, to)
		}
	}
	_ = w.Flush()
	t.Logf("\n%s\n%s", text.String(), formatDelays(b.late, b.over))
	if lost := s.sums["stickwatch_history_dropped_total"] + s.sums["stickwatch_panics_total"] + float64(b.dead); lost > 0 {
		t.Errorf("%v rows, messages or panics", lost)
	}
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
