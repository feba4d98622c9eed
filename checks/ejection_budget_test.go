package checks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

// logged returns a round behind an nginx with max_fails=30 and fail_timeout=20s, in
// which node2 fails, and nginx's error log has its failures.
func logged(f probes.Failures, changes ...func(*round)) func() *round {
	return failing(func(r *round) {
		b := &r.Cluster.Balancer
		b.Method, b.MaxFails, b.FailTimeout = probes.MethodRoundRobin, 30, 20*time.Second
		s := probes.ServerEvidence{
			Server: "10.0.0.2:8080", Address: "10.0.0.2:8080", State: probes.ServerUnknown, Failures: f,
			Detail: "connect() failed (111: Connection refused) while connecting to upstream",
		}
		for _, t := range f.Seconds {
			s.Fails += t.Count
		}
		r.Evidence = []probes.EvidenceObservation{{
			Kind: probes.EvidenceNginxErrorLog, Source: "nginx error log error.log", At: began.Add(time.Second), Servers: []probes.ServerEvidence{s},
		}}
		for _, change := range changes {
			change(r)
		}
	})
}

// metFailure makes a client meet the failure, so that it is found whatever the log says.
func metFailure(r *round) { r.Balancers[0].Primary.Status = 502 }

func unmentioned(r *round) { r.Evidence[0].Servers = nil }

// seconds returns failures: a count for each second from at on, which is relative to
// the beginning of the round.
func seconds(at int, counts ...int) []probes.SecondCount {
	var list []probes.SecondCount
	for i, n := range counts {
		if n > 0 {
			list = append(list, probes.SecondCount{At: began.Add(time.Duration(at+i) * time.Second), Count: n})
		}
	}
	return list
}

// one returns a run of n failures of one worker, in a log that is old enough.
func one(n int, s []probes.SecondCount) probes.Failures {
	return probes.Failures{Since: began.Add(-time.Hour), Seconds: s, Run: n, RunOfWorker: n, Workers: 1}
}

func TestEjectionBudget(t *testing.T) {
	every := func(gap, n int) (s []probes.SecondCount) {
		for i := range n {
			s = append(s, seconds(-gap*(n-i)+gap/2, 1)...)
		}
		return s
	}
	several := func(run, ofWorker int) probes.Failures {
		f := one(run, seconds(-3, 5, 4, 4))
		f.RunOfWorker, f.Workers = ofWorker, 4
		return f
	}
	unbelieved := one(13, seconds(-3, 5, 4, 4))
	unbelieved.Since = time.Time{}
	for _, tc := range []struct {
		name  string
		round func() *round
		want  string // its beginning
	}{
		{
			"by the rate before this round, whose own requests have come all at once", logged(one(23, seconds(-3, 5, 4, 4, 10))),
			"about 1s left: before this round requests to it failed 4.8 times a second (nginx's error log, 3s), and max_fails=30 has counted about 23",
		},
		{
			"slower than once a second", logged(one(4, every(15, 4))),
			"about 7m35s left: before this round requests to it failed once in 18s (nginx's error log, 53s), and max_fails=30 has counted about 4",
		},
		{
			"of a log that was cut since", logged(func() probes.Failures {
				f := one(13, seconds(-40, append([]int{100}, make([]int, 36)...)...))
				f.Seconds, f.Since = append(f.Seconds, seconds(-3, 5, 4, 4)...), began.Add(-3*time.Second)
				return f
			}()),
			"about 4s left: before this round requests to it failed 4.8 times a second",
		},
		{
			"four workers", logged(several(13, 4)),
			"about 4s left if the upstream has a zone, else about 22s until the first of 4 workers ejects it: before",
		},
		{
			"four workers that cannot have a zone, for together they have counted enough", logged(several(40, 11)),
			"about 16s left until the first of 4 workers ejects it, each counting separately: before",
		},
		{
			"only this round has failed", logged(one(6, seconds(0, 6)), metFailure),
			"max_fails=30 has counted about 6 (nginx's error log), too recently to show their rate: at an assumed failure a second about 24s left",
		},
		{
			"too rare to add up", logged(one(1, every(30, 4)), metFailure),
			"never, while it answers now and then: it fails once in 30s (nginx's error log), and a success more than fail_timeout=20s after a failure clears the count; " +
				"if it never answers, about 13m0s left",
		},
		{
			"rare ones of days ago", logged(one(1, every(24*60*60, 2)), metFailure),
			"nothing shows that nginx will eject it",
		},
		{
			"it fails by HTTP errors, which are in no log", logged(probes.Failures{}, metFailure, unmentioned),
			"nothing shows that nginx will eject it: its error log has no failed connection or time-out on it; HTTP errors",
		},
		{
			"the failures have ended", logged(one(12, seconds(-15, 4, 4, 4)), metFailure),
			"nothing shows that nginx will eject it: its error log has no failed connection or time-out on it since 08:59:47; HTTP errors",
		},
		{
			"counted enough", logged(one(31, seconds(-3, 10, 10, 11)), metFailure),
			"none left: by its error log nginx has ejected it (max_fails=30); it lets a request try every 21s",
		},
		{
			"ejected, and on its second trial", logged(one(1, append(seconds(-60, 15, 16), append(seconds(-38, 1), seconds(-17, 1)...)...)), metFailure),
			"none left: by its error log nginx has ejected it",
		},
		{
			"the log says it itself", logged(one(31, seconds(-3, 10, 10, 11)), metFailure, func(r *round) {
				r.Evidence[0].Servers[0].State = probes.ServerDown
			}),
			"none left: by its error log nginx has ejected it",
		},
		{
			"a log whose times are not to be believed", logged(unbelieved, metFailure),
			"about 29s left at an assumed request a second of which 100 % fail",
		},
		{
			"a log that cannot be read", logged(one(13, seconds(-3, 5, 4, 4)), metFailure, func(r *round) { r.Evidence[0].Error = "permission denied" }),
			"about 29s left at an assumed request a second",
		},
		{
			"nginx's own sticky cookie", logged(one(13, seconds(-3, 5, 4, 4)), func(r *round) { r.Cluster.Balancer.Method = probes.MethodCookie }),
			"about 4s left: before",
		},
		{
			"a balancer that checks by itself", logged(probes.Failures{}, metFailure, func(r *round) {
				r.Evidence = nil
				recorded(r, probes.EvidenceHAProxyStats, probes.ServerUp, "")
			}),
			"the balancer's own health checks decide when it is ejected",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := tc.round().Round
			report := checks.Judge(r)
			for _, problem := range unsound(r, report) {
				t.Error(problem)
			}
			got := ""
			for _, f := range report.Findings {
				if f.Code == checks.NodeFailingInRotation {
					got = f.Evidence[len(f.Evidence)-1].String()
				}
			}
			if !strings.HasPrefix(got, tc.want) {
				t.Errorf("budget (-want +got):\n%s", cmp.Diff(tc.want, got))
			}
		})
	}
}

// TestFailingByTheLog tests that nginx's log shows a failing node of which clients
// notice nothing while another node answers.
func TestFailingByTheLog(t *testing.T) {
	f := one(13, seconds(-3, 5, 4, 4))
	few, trials := one(1, seconds(-1, 1)), one(1, append(seconds(-60, 31), seconds(-1, 1)...))
	for _, tc := range []struct {
		name  string
		round func() *round
		found bool
	}{
		{"its failures go on", logged(f), true},
		{"they go on during the round alone", logged(one(3, seconds(0, 3))), true},
		{"they have stopped", logged(one(13, seconds(-15, 5, 4, 4))), false},
		{"it is another server", logged(f, func(r *round) { r.Evidence[0].Servers[0].Server = "10.9.9.9:80"; r.Evidence[0].Servers[0].Address = "" }), false},
		{"it is well when asked directly: a log alone proves nothing", logged(f, func(r *round) { r.direct("node2", page(testPage, 200)) }), false},
		{"its operator has taken it out", logged(f, func(r *round) { r.Cluster.Nodes[1].Down = true }), false},
		{"it is ejected", logged(f, func(r *round) { r.Evidence[0].Servers[0].State = probes.ServerDown }), false},
		{"it has counted enough to be", logged(one(31, seconds(-3, 10, 10, 11))), false},
		{"one failure may be a trial", logged(few), false},
		{"one failure after an ejection is a trial", logged(trials), false},
		{"there is no log", logged(f, func(r *round) { r.Evidence = nil }), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := false
			for _, f := range checks.Judge(tc.round().Round).Findings {
				if f.Code == checks.NodeFailingInRotation {
					found = true
					want := "nginx error log error.log: "
					if !strings.HasPrefix(f.Evidence[1].String(), want) || !strings.HasSuffix(f.Evidence[1].String(), "while connecting to upstream") {
						t.Errorf("evidence %q, want what the log says", f.Evidence)
					}
				}
			}
			expect.Equal(t, "found", tc.found, found)
		})
	}
}
