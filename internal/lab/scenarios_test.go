package lab

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A scenario is something that is wrong with a cluster, and what stickwatch
// must say of it, whatever balancer stands in front.
type scenario struct {
	name string
	on   func(front) bool // nil: every front
	plan plan
	act  func(*rig)
	want []string      // "code" or "code/subject", all of which must be found
	also []checks.Code // consequences that may be seen, depending on who is asked
}

// The fronts a scenario applies to.
func sticky(f front) bool    { return f.sticky }
func notSticky(f front) bool { return !f.sticky }

// choosing fronts let the prober reach every node at will, or by patience.
func choosing(f front) bool { return f.header || f.method == probes.MethodCookie }

// seesAll fronts show the prober every node.
func seesAll(f front) bool { return f.name != "nginx ip_hash, one address" }

func named(names ...string) func(front) bool {
	return func(f front) bool { return slices.Contains(names, f.name) }
}

var scenarios = []scenario{
	// The balancer.
	{name: "balancer down", act: func(r *rig) { r.front.Stop() }, want: []string{"balancer_down"}},
	{
		name: "all nodes down", act: func(r *rig) { r.stop("node1", "node2", "node3") },
		want: []string{"balancer_error", "node_down/node1", "node_down/node2", "node_down/node3"},
	},
	{
		name: "marked down in the balancer only", on: seesAll,
		plan: plan{front: frontPlan{down: "node2"}, profile: "tomcat-msm", shared: true},
		want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected after failures", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.eject("node2") }, want: []string{"node_ejected/node2"},
	},
	{
		name: "ejected of two", on: choosing, plan: plan{profile: "tomcat", shared: true, weights: []int{3, 1, 2}},
		act: func(r *rig) { r.eject("node3") }, want: []string{"node_ejected/node3"},
	},
	{
		name: "an unlisted node", on: notSticky, // sticky ones show it only to new clients, who stop coming when every listed node is met
		plan: plan{profile: "tomcat-msm", shared: true, nodes: 4, unlisted: 1},
		want: []string{"unknown_node"},
	},

	// The nodes.
	{
		name: "node down", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) { r.stop("node2") }, want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "node answers 500 in rotation", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Failing = "/" }) },
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node hangs in rotation", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Timeout = 1500 * time.Millisecond
			r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Hang })
		},
		want: []string{"node_down/node2", "node_failing_in_rotation/node2"},
	},
	{
		name: "node closes connections", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Drop }) },
		want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "node speaks no HTTP", on: seesAll, plan: plan{profile: "tomcat-msm", shared: true},
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Mode = demo.Garbage }) },
		want: []string{"node_down/node2"}, also: []checks.Code{checks.NodeFailingInRotation},
	},
	{
		name: "a page fails on one node", plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Pages = []probes.Page{{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}}}
			r.change("node2", func(f *demo.NodeFaults) { f.Failing = "/app_a/" })
		},
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.PageFailing},
	},
	{
		name: "a page is being deployed", plan: plan{profile: "huozige"},
		act: func(r *rig) {
			r.cluster.Pages = []probes.Page{{Path: "/app_a/", Want: probes.StatusRange{From: 200, To: 399}}}
			r.change("node2", func(f *demo.NodeFaults) { f.Failing, f.FailStatus = "/app_a/", 404 })
		},
		want: []string{"page_failing/node2"}, also: []checks.Code{checks.PageFailing},
	},
	{
		name: "slow node", plan: plan{profile: "tomcat-msm", shared: true},
		act: func(r *rig) {
			r.cluster.Limits.Slow = 400 * time.Millisecond
			r.change("node2", func(f *demo.NodeFaults) { f.Delay = 500 * time.Millisecond })
		},
		want: []string{"slow/node2"}, also: []checks.Code{checks.Slow},
	},

	// What nodes depend on.
	{
		name: "redis down", plan: plan{redis: true, profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.redis.Stop() },
		want: []string{"dependency_down/Redis Server", "node_paused/node1", "node_paused/node2", "node_paused/node3"},
	},
	{
		name: "one node cannot reach redis", plan: plan{redis: true, profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act: func(r *rig) {
			r.change("node2", func(f *demo.NodeFaults) {
				f.Paused = "The following dependent services are unavailable: Redis Server"
			})
		},
		want: []string{"dependency_down/Redis Server", "dependency_disputed/Redis Server", "node_paused/node2"},
	},
	{
		name: "paused without a reason that names a service", plan: plan{front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Paused = "maintenance" }) },
		want: []string{"node_paused/node2"},
	},

	// Sessions.
	{
		name: "drift", on: notSticky, plan: plan{},
		act: func(*rig) {}, want: []string{"session_drift"},
	},
	{
		name: "drift though replicated", on: notSticky, plan: plan{profile: "tomcat", shared: true},
		act: func(*rig) {}, want: []string{"session_drift"},
	},
	{
		name: "sessions lost on one node", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change(r.home(), func(f *demo.NodeFaults) { f.Forgetful = true }) },
		want: []string{"session_lost"}, also: []checks.Code{checks.SessionNotShared, checks.SessionDrift},
	},
	{
		name: "older contents", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.change(r.home(), func(f *demo.NodeFaults) { f.Rollback = true }) },
		want: []string{"session_rollback"},
	},
	{
		name: "replication does not work", on: sticky, plan: plan{profile: "tomcat"},
		act: func(*rig) {}, want: []string{"session_not_shared"},
	},
	{
		name: "sharing is switched off", on: notSticky, plan: plan{profile: "tomcat-msm"},
		act: func(*rig) {}, want: []string{"session_lost", "session_not_shared"},
	},
	{
		name: "cookie for another path", on: sticky, plan: plan{profile: "tomcat", shared: true},
		act:  func(r *rig) { r.changeAll(func(f *demo.NodeFaults) { f.CookiePath = "/elsewhere" }) },
		want: []string{"cookie_rejected"}, also: []checks.Code{checks.SessionLost, checks.SessionDrift},
	},
	{
		name: "one worker has ejected a node", on: named("demo ip_hash"), plan: plan{front: frontPlan{workers: 2, upgrade: true}},
		act: func(r *rig) {
			r.front.(*demo.Balancer).Change(func(f *demo.BalancerFaults) {
				f.Ejected, f.OnlyWorker = []string{r.node("node2").Addr()}, 1
			})
		},
		want: []string{"balancer_split"},
	},

	// Engine.IO.
	{
		name: "handshake behind round robin", on: named("demo round robin", "nginx round robin"), plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}},
		act: func(*rig) {}, want: []string{"session_drift", "handshake_broken"},
	},
	{
		name: "upgrade not passed", on: named("demo ip_hash", "nginx ip_hash"), plan: plan{profile: "strategy-collaboration"},
		act: func(*rig) {}, want: []string{"upgrade_refused"},
	},

	// What should be alike on all nodes, and unique to each.
	{
		name: "one id twice", plan: plan{}, on: named("demo ip_hash", "nginx ip_hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ID = "node1" }) },
		want: []string{"duplicate_node_id"},
	},
	{
		name: "addresses mixed up", plan: plan{}, on: named("demo cookie", "haproxy cookie"),
		act: func(r *rig) {
			a, b := &r.cluster.Nodes[1], &r.cluster.Nodes[2]
			a.URL, b.URL = b.URL, a.URL
		},
		want: []string{"node_misidentified/node2", "node_misidentified/node3"},
	},
	{
		name: "two versions", on: named("demo ip_hash", "demo cookie", "nginx ip_hash", "nginx hash", "haproxy cookie"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Version = "0.9.9" }) },
		want: []string{"version_skew/node2"},
	},
	{
		name: "two settings", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.Scaling = "none" }) },
		want: []string{"settings_skew"},
	},
	{
		name: "a clock runs ahead", plan: plan{profile: "tomcat", shared: true}, on: sticky,
		act:  func(r *rig) { r.change("node2", func(f *demo.NodeFaults) { f.ClockOffset = 30 * time.Second }) },
		want: []string{"clock_skew/node2"},
	},
	{
		name: "primary started last", plan: plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}}, on: named("demo ip_hash", "nginx ip_hash"),
		act: func(r *rig) {
			if err := r.node("node1").Restart(); err != nil {
				r.tb.Fatal(err)
			}
		},
		want: []string{"start_order/node1"},
	},
}

func (r *rig) stop(ids ...string) {
	for _, id := range ids {
		r.node(id).Stop()
	}
}

// home is the node that our own clients are sent to first: with one source
// address there may be no other that is seen.
func (r *rig) home() string {
	for _, c := range r.probe().Session.Canaries {
		return c.Pinned
	}
	r.tb.Fatal("no canary found a home")
	return ""
}

// TestScenarios plays every scenario behind every balancer it applies to. A
// finding that is missing, has another class or names another subject is an
// error, and so is one that nobody asked for.
func TestScenarios(t *testing.T) {
	var card scorecard
	t.Cleanup(func() { card.write(t) })
	for _, s := range scenarios {
		for _, f := range fronts {
			if s.on != nil && !s.on(f) {
				continue
			}
			t.Run(s.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				for range runs(t, "STICKWATCH_SCENARIO_RUNS", 1) {
					r := newRig(t, f, s.plan)
					if s.act != nil {
						s.act(r)
					}
					report := r.probe()
					missing, unexpected := judgeScenario(t, s, report)
					card.add(s.name, f.name, missing, unexpected, report)
					r.end()
				}
			})
		}
	}
}

// judgeScenario returns what was wanted and is missing, and what is there and
// was neither wanted nor is a consequence.
func judgeScenario(t *testing.T, s scenario, report checks.Report) (missing, unexpected []string) {
	t.Helper()
	for _, f := range report.Findings {
		wanted := slices.ContainsFunc(s.want, func(w string) bool { return matches(w, f) })
		if f.Severity != checks.Info && !wanted && !slices.Contains(s.also, f.Code) {
			unexpected = append(unexpected, f.Key()+": "+f.Summary)
		}
	}
	for _, w := range s.want {
		if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return matches(w, f) }) {
			missing = append(missing, w)
		}
	}
	if len(missing)+len(unexpected) > 0 {
		t.Errorf("missing %q, unexpected %q in:\n%s", missing, unexpected, tell(report))
	}
	return missing, unexpected
}

// matches: a want without subject matches every finding of its code.
func matches(want string, f checks.Finding) bool {
	code, subject, found := strings.Cut(want, "/")
	if string(f.Code) != code {
		return false
	}
	return !found || f.Node == subject || f.Dependency == subject
}

// TestSplit: nginx without a zone, one of whose workers has ejected a node. Which
// worker takes which connection is the kernel's to say, so a round may miss it;
// a round that sees it must name it, and one of many must.
func TestSplit(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{front: frontPlan{workers: 4}})
	picker, _ := checks.Oracle(r.cluster)
	client, _ := balance.ClientFor(picker, 1, 7)
	r.node("node2").Stop()
	r.get(client.String())
	if err := r.node("node2").Start(); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		report := r.probe()
		if slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.BalancerSplit }) {
			return
		}
		if report.Session.Sticky == checks.No {
			t.Fatalf("sessions moved, and no split was named: %s", tell(report))
		}
	}
	t.Error("no round of 50 saw that the workers disagree")
}

// TestTwoEntrances: two balancers, one of which has a node ejected. The same
// client meets different nodes, depending on which of them it enters.
func TestTwoEntrances(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash"))]
	r := newRig(t, f, plan{})
	second := f.start(t, r.nodes, plan{front: frontPlan{down: "node2"}})
	r.cluster.Balancer.URLs = append(r.cluster.Balancer.URLs, parse(t, second.URL()))
	judgeScenario(t, scenario{want: []string{"balancer_split"}}, r.probe())
}

// TestHeaderIgnored: the operator believes that the balancer takes the client
// address from a header, and it does not. Nothing is ejected; two nodes cannot
// be seen, and the remedy is told.
func TestHeaderIgnored(t *testing.T) {
	f := fronts[slices.IndexFunc(fronts, named("nginx ip_hash, one address"))]
	r := newRig(t, f, plan{})
	r.cluster.Balancer.ClientIPHeader = clientHeader
	report := r.probe()
	judgeScenario(t, scenario{want: []string{"blind_spot"}}, report)
	for _, f := range report.Findings {
		if want := "set_real_ip_from 127.0.0.1; real_ip_header " + clientHeader; !strings.Contains(f.Remedy, want) {
			t.Errorf("got remedy %q, want one with %q", f.Remedy, want)
		}
	}
}

// TestHealthy takes many pictures of healthy clusters behind every balancer:
// not one may hold a finding above info, or a doubt.
func TestHealthy(t *testing.T) {
	for _, f := range fronts {
		for _, p := range healthyPlans(f) {
			t.Run(f.name+"/"+p.profile, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, f, p)
				for i := range runs(t, "STICKWATCH_HEALTHY_RUNS", 50) {
					if report := r.probe(); report.Verdict != checks.Healthy {
						t.Fatalf("run %d: %s", i, tell(report))
					}
				}
			})
		}
	}
}

// healthyPlans are the applications that run well behind f.
func healthyPlans(f front) []plan {
	if !f.sticky {
		return []plan{{profile: "tomcat-msm", shared: true}, {profile: "huozige"}}
	}
	plans := []plan{{profile: "tomcat", shared: true}, {profile: "tomcat-msm", shared: true}}
	if f.name != "apache sticky" { // which follows JSESSIONID, and the generic page has another cookie
		plans = append(plans, plan{profile: "generic"}, plan{profile: "ebridge"}, plan{profile: "ebridge", gbk: true}, plan{profile: "generic", weights: []int{3, 1, 2}})
	}
	if f.method == probes.MethodIPHash {
		plans = append(plans, plan{profile: "strategy-collaboration", front: frontPlan{upgrade: true}})
	}
	return plans
}

// runs is how often a test repeats itself, which a longer campaign can raise.
func runs(tb testing.TB, env string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(env)
	if text == "" {
		if testing.Short() {
			return 1
		}
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s: got %q, want a number above 0", env, text)
	}
	return n
}

// tell is a report for the log of a failed test.
func tell(r checks.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, sticky %s (%s), doubts %q\n", r.Cluster, r.Verdict, r.Session.Sticky, r.Session.Reason, r.Doubts)
	for _, n := range r.Nodes {
		fmt.Fprintf(&b, "  %s up %v, label %q, in rotation %s: %s\n", n.Node, n.Up, n.Label, n.InRotation, n.Rotation)
	}
	for _, c := range r.Session.Canaries {
		fmt.Fprintf(&b, "  canary %s of %s:", c.Client, c.Pinned)
		for _, s := range c.Steps {
			fmt.Fprintf(&b, " %s=%s(%d%s)", s.Node, s.Session, s.Status, s.Error)
		}
		b.WriteByte('\n')
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s: %s %q, explained by %q\n", f.Severity, f.Key(), f.Summary, f.Evidence, f.ExplainedBy)
	}
	return b.String()
}
