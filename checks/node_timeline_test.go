package checks_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A observed is what a round sees of node2, some seconds after the first round.
type observed struct {
	at       int
	episodes []int // beginnings of the ejections in nginx's error log
	out      bool  // the newest ejection is ongoing
	change   func(*round)
	want     []string
}

// judge judges the round, with the timeline of earlier ones.
func (observed observed) judge(past *checks.Timelines) checks.Report {
	r := healthy()
	moment := func(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }
	r.Past, r.Started = past, moment(observed.at)
	o := probes.EvidenceObservation{Kind: probes.EvidenceNginxErrorLog, Source: "nginx error log", At: r.Started}
	if len(observed.episodes) > 0 {
		s := probes.ServerEvidence{Server: r.Cluster.Nodes[1].ServerName(), State: probes.ServerUp, Detail: "temporarily disabled"}
		if observed.out {
			s.State = probes.ServerDown
		}
		for _, second := range observed.episodes {
			s.Episodes = append(s.Episodes, probes.Episode{First: moment(second), Last: moment(second), Lines: 1})
		}
		o.Servers = []probes.ServerEvidence{s}
	}
	r.Evidence = []probes.EvidenceObservation{o}
	if observed.change != nil {
		observed.change(r)
	}
	for i := range r.Nodes {
		r.Nodes[i].Primary.At = r.Started
	}
	return checks.Judge(r.Round)
}

// TestEjectionsBetweenRounds tests that an ejection between two rounds is found in
// nginx's error log, and reported once, for two minutes.
func TestEjectionsBetweenRounds(t *testing.T) {
	t.Parallel()
	const ejected, passing = "warning node_ejected/node2", "info node_ejected/node2"
	unreadable := func(r *round) { r.Evidence[0].Error = "permission denied" }
	misdated := func(r *round) {
		for i := range r.Evidence[0].Servers {
			r.Evidence[0].Servers[i].State = probes.ServerUnknown
		}
	}
	for _, tc := range []struct {
		name   string
		rounds []observed
	}{
		{"found, reported for a while, and over", []observed{
			{at: 0},
			{at: 15, episodes: []int{3}, want: []string{ejected}},
			{at: 30, episodes: []int{3}, want: []string{ejected}},
			{at: 134, episodes: []int{3}},
		}},
		{"what is in the log when it is first read is the past's", []observed{
			{at: 0, episodes: []int{-20}},
			{at: 15, episodes: []int{-20}},
			{at: 30, episodes: []int{-20, 17}, want: []string{ejected}},
		}},
		{"one round alone knows of no time between", []observed{{at: 0, episodes: []int{-3}}}},
		{"one that a round has found is not reported again", []observed{
			{at: 0},
			{at: 15, episodes: []int{14}, out: true, change: func(r *round) { r.leave("node2"); unlabelled(r) }, want: []string{passing, "info blind_spot/labels"}},
			{at: 30, episodes: []int{14}},
		}},
		{"one that was going on, and that the answers denied, is reported when it has ended", []observed{
			{at: 0},
			{at: 15, episodes: []int{12}, out: true},
			{at: 30, episodes: []int{12}, want: []string{ejected}},
		}},
		{"that of a node which was found failing is its failure's", []observed{
			{at: 0},
			{at: 15, episodes: []int{14}, out: true, change: func(r *round) { r.down("node2") }, want: []string{"warning node_down/node2"}},
			{at: 30, episodes: []int{14}, want: []string{"info node_restarted/node2"}},
		}},
		{"that of a node which was restarted is the restart's", []observed{
			{at: 0, change: func(r *round) { r.say(probes.StatusReport{State: "running", PID: "900"}, "node2") }},
			{
				at: 15, episodes: []int{3}, change: func(r *round) { r.say(probes.StatusReport{State: "running", PID: "901"}, "node2") },
				want: []string{"info node_restarted/node2", passing + " <- node_restarted/node2"},
			},
		}},
		{"a log that could not be read is caught up with", []observed{
			{at: 0},
			{at: 15, episodes: []int{3}, change: unreadable, want: []string{"info blind_spot/nginx_error_log"}},
			{at: 30, episodes: []int{3}, want: []string{ejected}},
		}},
		{"one of another time zone is not believed", []observed{
			{at: 0},
			{at: 15, episodes: []int{3}, change: misdated},
		}},
		{"it is the node's that the operator has taken out", []observed{
			{at: 0},
			{at: 15, episodes: []int{3}, change: func(r *round) {
				r.Cluster.Nodes[1].Down = true
				r.leave("node2")
			}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var past *checks.Timelines
			for _, l := range tc.rounds {
				report := l.judge(past)
				if diff := cmp.Diff(l.want, lines(report)); diff != "" {
					t.Errorf("after %d s (-want +got):\n%s", l.at, diff)
				}
				past = report.Timelines
			}
		})
	}
}

// TestEjectionThatPasses tests that an ejection is a consequence for as long as the
// balancer leaves a node out after any failure, from when the ejection began or the
// node was well again. A longer one, or one of a node that fails again and again, is
// a finding of its own.
func TestEjectionThatPasses(t *testing.T) {
	t.Parallel()
	const (
		lasts, passing, restart = "warning node_ejected/node2", "info node_ejected/node2", "info node_restarted/node2"
		loop                    = "warning node_restarted/node2 crash loop"
		restartInLoop           = restart + " <- node_restarted/node2 crash loop"
	)
	out := func(second int, want ...string) observed {
		return observed{at: second, episodes: []int{second - 1}, out: true, change: unlabelled, want: want}
	}
	down := observed{at: 15, change: func(r *round) { r.down("node2") }, want: []string{"warning node_down/node2"}}
	again := func(second int, want ...string) observed {
		l := out(second, want...)
		l.change = func(r *round) {
			unlabelled(r)
			r.say(probes.StatusReport{State: "running", PID: strconv.Itoa(second)}, "node2")
		}
		return l
	}
	crashes := []observed{{at: 0}, again(15, passing)} // the status had reported no process before
	for second := 25; second < 45; second += 10 {
		crashes = append(crashes, again(second, restart, passing+" <- node_restarted/node2"))
	}
	for second := 45; second < 155; second += 10 { // the third restart
		crashes = append(crashes, again(second, loop, restartInLoop, passing+" <- node_restarted/node2"))
	}
	for name, rounds := range map[string][]observed{
		"one that lasts":               {{at: 0}, out(15, passing), out(27, passing), out(28, lasts)},
		"one that ends":                {{at: 0}, out(15, passing), {at: 30}, out(45, passing)},
		"since when is not known":      {out(0, lasts), out(15, lasts)},
		"after a failure":              {{at: 0}, down, out(30, restart, passing+" <- node_restarted/node2"), out(43, lasts, restart)},
		"of one that crashes for ever": append(crashes, again(155, lasts, loop, restartInLoop)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var past *checks.Timelines
			for _, l := range rounds {
				report := l.judge(past)
				got := slices.DeleteFunc(lines(report), func(line string) bool { return strings.HasPrefix(line, "info blind_spot") })
				if diff := cmp.Diff(l.want, got); diff != "" {
					t.Errorf("after %d s (-want +got):\n%s", l.at, diff)
				}
				if want := len(l.want) == 0; want != (report.Verdict == checks.Healthy) {
					t.Errorf("after %d s the cluster is %s", l.at, report.Verdict)
				}
				past = report.Timelines
			}
		})
	}
}

// TestEjectionAfterRestart tests that an ejection that begins after the aftermath of a restart is no
// consequence of it, although the restart is still reported.
func TestEjectionAfterRestart(t *testing.T) {
	t.Parallel()
	var past *checks.Timelines
	var last checks.Report
	for _, l := range []observed{
		{at: 0}, {at: 15, change: func(r *round) { r.down("node2") }}, {at: 30}, {at: 45}, {at: 60, episodes: []int{59}, out: true, change: unlabelled},
	} {
		last = l.judge(past)
		past = last.Timelines
	}
	if got := lines(last); !slices.Contains(got, "info node_ejected/node2") || !slices.Contains(got, "info node_restarted/node2 <- node_restarted/sessions lost") {
		t.Errorf("got %q", got)
	}
}

// TestEjectionThatCostSessions tests that an ejection of a ready node at which sessions were lost is a warning
// until the balancer takes the node back, also after no further session is lost: it is one outage.
func TestEjectionThatCostSessions(t *testing.T) {
	t.Parallel()
	past := (&observed{at: 0}).judge(nil).Timelines
	for second := 15; second < 25; second += 3 {
		past.Balancer.LastLostAt = began.Add(15 * time.Second)
		report := observed{at: second, episodes: []int{14}, out: true, change: unlabelled}.judge(past)
		if got := lines(report); !slices.Contains(got, "warning node_ejected/node2") {
			t.Errorf("after %d s: %q", second, got)
		}
		past = report.Timelines
	}
}

// TestEjectionIsReportedOnce tests that such an ejection is reported once, however many
// rounds confirm other findings, with its times and its source.
func TestEjectionIsReportedOnce(t *testing.T) {
	t.Parallel()
	ledger := checks.NewLedger(checks.Damping{Appear: 2, Vanish: 2})
	var past *checks.Timelines
	var changes []string
	for _, l := range []observed{{at: 0}, {at: 15, episodes: []int{3, 9}}, {at: 140, episodes: []int{3, 9}}, {at: 155, episodes: []int{3, 9}}} {
		report := l.judge(past)
		for _, c := range ledger.Update(report) {
			changes = append(changes, string(c.Kind)+" "+c.Key())
			if c.Kind != checks.Appeared {
				continue
			}
			want := "from 09:00:09 until about 09:00:19; it is back in rotation"
			if !strings.Contains(c.Summary.String(), want) {
				t.Errorf("got summary %q, want %q in it", c.Summary, want)
			}
			want = "by the balancer's evidence: nginx error log: 10.0.0.2:8080 was out from 09:00:03 until about 09:00:13"
			if !slices.ContainsFunc(texts(c.Evidence), func(e string) bool { return strings.Contains(e, want) }) {
				t.Errorf("got evidence %q, want %q in it", c.Evidence, want)
			}
		}
		past = report.Timelines
	}
	if diff := cmp.Diff([]string{"appeared node_ejected/node2", "gone node_ejected/node2"}, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestHAProxyEjectionsBetweenRounds tests HAProxy, whose statistics have since when each
// server is up. A reading is those seconds for node1, node2 and node3; below zero,
// node2 is down.
func TestHAProxyEjectionsBetweenRounds(t *testing.T) {
	t.Parallel()
	const ejected = "warning node_ejected/node2"
	for _, tc := range []struct {
		name     string
		readings [][3]int // one round every fifteen seconds
		change   func(i int, r *round)
		want     []string // findings of the last one
	}{
		{"all stay up", [][3]int{{-90, 1, -90}, {-90, 1, -90}}, nil, nil},
		{"one came up again", [][3]int{{-90, 1, -90}, {-90, 9, -90}}, nil, []string{ejected}},
		{"one began to count anew after slowstart", [][3]int{{-90, 1, -90}, {-90, neverDown + 9, -90}}, nil, nil},
		{"its clock wanders by a second", [][3]int{{-90, 1, -90}, {-89, 2, -91}}, nil, nil},
		{"HAProxy was restarted", [][3]int{{-90, 1, -90}, {9, 9, 9}}, nil, nil},
		{"the state before is not known", [][3]int{{-90, 9, -90}}, nil, nil},
		{
			"a round has found it out",
			[][3]int{{-90, 1, -90}, {-90, -14, -90}, {-90, 20, -90}},
			func(i int, r *round) {
				if i == 1 {
					r.leave("node2")
					unlabelled(r)
				}
			}, nil,
		},
		{"it was down, and the answers denied it", [][3]int{{-90, 1, -90}, {-90, -14, -90}, {-90, 20, -90}}, nil, []string{ejected}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var past *checks.Timelines
			var report checks.Report
			for i, reading := range tc.readings {
				r := healthy()
				r.Past, r.Started = past, began.Add(time.Duration(i)*15*time.Second)
				r.Evidence = []probes.EvidenceObservation{statistics(r, reading)}
				if tc.change != nil {
					tc.change(i, r)
				}
				report = checks.Judge(r.Round)
				past = report.Timelines
			}
			if diff := cmp.Diff(tc.want, lines(report)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// neverDown is added to a reading of a server that was not down before.
const neverDown = 1000

// statistics returns HAProxy's statistics, with when each server came up.
func statistics(r *round, since [3]int) probes.EvidenceObservation {
	o := probes.EvidenceObservation{Kind: probes.EvidenceHAProxyStats, Source: "haproxy stats", At: r.Started}
	for i, n := range r.Cluster.Nodes {
		s := probes.ServerEvidence{Server: n.ID, State: probes.ServerUp, Downs: 1}
		if since[i] > 0 && since[i] < neverDown {
			s.Downs = since[i] // it counts more each time
		}
		since[i] %= neverDown
		if i == 1 && since[i] < 0 {
			s.State, since[i] = probes.ServerDown, -since[i]
		}
		s.Since = began.Add(time.Duration(since[i]) * time.Second)
		o.Servers = append(o.Servers, s)
	}
	return o
}

// TestRestartCountsOnce tests that a new process id, or an address that accepts connections
// again, is no second restart if lost sessions have shown the restart before.
func TestRestartCountsOnce(t *testing.T) {
	t.Parallel()
	since := began.Add(-15 * time.Second)
	for _, sign := range []checks.NodeTimeline{{PID: "900", Reported: since}, {RefusesConnections: true, LastRefusedAt: since}} {
		for known, want := range map[time.Duration]int{10 * time.Second: 1, -10 * time.Second: 2} {
			r := healthy()
			r.say(probes.StatusReport{State: "running", PID: "901"}, "node2")
			sign.Restarted, sign.LastSign = since.Add(known), new(checks.Quote("restarted"))
			sign.Restarts = []time.Time{sign.Restarted}
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": sign}}
			if got := checks.Judge(r.Round).Timelines.Nodes["node2"].Restarts; len(got) != want {
				t.Errorf("%+v: got restarts at %v, want %d", sign, got, want)
			}
		}
	}
}

// TestStoredNames: histories of earlier versions are read. Each field keeps the name under which it was
// stored first.
func TestStoredNames(t *testing.T) {
	t.Parallel()
	at := `"2026-01-02T03:04:05Z"`
	stored := `{"Nodes":{"node1":{"DownSince":` + at + `,"Down":true,"Refused":` + at + `,"Started":` + at + `,"Left":` + at + `,"Back":` + at +
		`,"Out":` + at + `,"Up":` + at + `,"Downs":3}},"Balancer":{"Kept":` + at + `,"Lost":` + at + `,"Drifted":` + at + `,"Forgot":` + at + `}}`
	var got checks.Timelines
	must.Succeed(t, json.Unmarshal([]byte(stored), &got))
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := checks.Timelines{
		Nodes: map[string]checks.NodeTimeline{"node1": {
			UnreadySince: when, RefusesConnections: true, LastRefusedAt: when, ListensAgainAt: when, DelistedAt: when, RecoveredAt: when,
			LeftOutSince: when, ReportedUpSince: when, ReportedDowns: 3,
		}},
		Balancer: checks.BalancerTimeline{LastKeptAt: when, LastLostAt: when, LastDriftAt: when, LastForgotAt: when},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
