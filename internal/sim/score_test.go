package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/users"

	"github.com/google/go-cmp/cmp"
)

const threeNodes = "cluster ip_hash/sticky/generic nodes=3 workers=2 zone=false max_fails=1 fail_timeout=10s timeout=1m0s\nlength 1h\n"

// began is the start of the simulations of these tests.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// met returns requests of users with one outcome, one per second from an offset.
func met(o users.Outcome, owner, node string, from time.Duration, who ...int) (list []users.Request) {
	for i, user := range who {
		at := began.Add(from + time.Duration(i)*time.Second)
		list = append(list,
			users.Request{User: user, At: at.Add(-20 * time.Second), Owner: owner, Node: owner, Outcome: users.Served},
			users.Request{User: user, At: at, Owner: owner, Node: node, Outcome: o})
	}
	return list
}

// firedNotification returns the notification of a finding that fired.
func firedNotification(at time.Duration, severity checks.Severity, code checks.Code, node string) alerting.Notification {
	f := checks.Finding{Code: code, Severity: severity, Node: node, Summary: checks.Quote("as found")}
	return alerting.Notification{Kind: alerting.NotificationFired, At: began.Add(at), Incident: alerting.Incident{
		ID: at.String() + f.Key(), Severity: severity, Cause: f, Started: began.Add(at - 5*time.Second),
	}}
}

// ended returns a notification of an incident that has ended.
func ended(n alerting.Notification, at time.Duration) alerting.Notification {
	n.Incident.Ended = began.Add(at)
	return n
}

// developed returns a notification of an open incident that has one more finding of its node.
func developed(n alerting.Notification, after time.Duration, severity checks.Severity, code checks.Code) alerting.Notification {
	n.Kind, n.At, n.Incident.Severity = alerting.NotificationDeveloped, n.At.Add(after), severity
	f := checks.Finding{Code: code, Severity: severity, Node: n.Incident.Cause.Node}
	n.Incident.Findings = []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: f}}}
	return n
}

// sum returns the summary of a deployment that was announced at from.
func sum(at, from time.Duration) alerting.Notification {
	return alerting.Notification{Kind: alerting.NotificationDeployment, At: began.Add(at), Incident: alerting.Incident{
		ID: "deployment-1", Severity: checks.Warning, Started: began.Add(from), Ended: began.Add(at),
	}}
}

func TestScore(t *testing.T) {
	const (
		critical, warning = checks.Critical, checks.Warning

		start      = 5 * time.Minute // of the first operation
		fail       = "5m fail node1 for 1m"
		restart    = "5m restart node2 for 2s"
		deploy     = "5m deploy node1,node2,node3 for 1s"
		deployBlue = "5m deploy-blue-green node1,node2,node3 for 1m"

		errorsUnnotified = "harm without notification: errors or wrong pages"
		lossUnnotified   = "harm without notification: sessions lost with a node, as the policy allows"
	)
	many := []int{1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4}
	failed := met(users.Error, "node1", "", start, many...)
	lost := met(users.Lost, "node2", "node3", start+time.Second, 1, 2, 3)
	lostLater := met(users.Lost, "node2", "node3", start+5*time.Second, 1, 2, 3)
	fired := func(after time.Duration, severity checks.Severity, code checks.Code, node string) alerting.Notification {
		return firedNotification(start+after, severity, code, node)
	}
	down := fired(40*time.Second, warning, checks.NodeDown, "node2")
	restarted := fired(40*time.Second, warning, checks.NodeRestarted, "node2")
	wasDown := ended(down, start+70*time.Second)
	summary := sum(start+50*time.Second, start)
	type notified = []alerting.Notification
	tests := []struct {
		name          string
		schedule      string
		requests      []users.Request
		notifications notified
		want          []string // kinds of the counterexamples
	}{
		{"nothing happens", "", nil, nil, nil},
		{
			"critical out of nothing", "", nil,
			notified{firedNotification(time.Minute, critical, checks.SessionDrift, "")},
			[]string{"critical without harm: session_drift", "wrong node or cause: session_drift"},
		},
		{"errors without a notification", fail, failed, nil, []string{errorsUnnotified}},
		{"errors, and a critical in time", fail, failed, notified{fired(10*time.Second, critical, checks.NodeFailingInRotation, "node1")}, nil},
		{"errors, and only a warning", fail, failed, notified{fired(10*time.Second, warning, checks.NodeDown, "node1")}, []string{errorsUnnotified}},
		{
			"errors, and the wrong node", fail, failed,
			notified{fired(10*time.Second, critical, checks.NodeFailingInRotation, "node2")},
			[]string{"wrong node or cause: node_failing_in_rotation"},
		},
		{
			"errors, and the wrong cause", fail, failed,
			notified{fired(10*time.Second, critical, checks.SessionLost, "node1")},
			[]string{"wrong node or cause: session_lost"},
		},
		{
			"a node that is drained, and whose sessions no user asks for", "5m drain node1 for 1m", met(users.Served, "node2", "node2", start, many...),
			notified{fired(10*time.Second, critical, checks.NodeEjected, "node1")},
			nil,
		},
		{
			"a node that fails, and whose users are served", "5m kill node1 for 1m", met(users.Moved, "node1", "node2", start, many...),
			notified{fired(10*time.Second, critical, checks.NodeDown, "node1")},
			[]string{"critical without harm: node_down"},
		},
		{
			"an outage that begins in the grace of a deployment, and outlasts it", deploy + "\n5m20s balancer-down for 1m",
			met(users.Error, "node1", "", start+20*time.Second, slices.Concat(many, many, many)...),
			notified{summary, fired(50*time.Second, critical, checks.BalancerDown, "")},
			nil,
		},
		{"an error of one user is not worth anything", "", met(users.Error, "node1", "", start, 1, 1, 1, 1, 1), nil, nil},
		{"a restart loses its sessions, and a warning says so", restart, lost, notified{restarted}, nil},
		{"a restart loses its sessions, without a notification", restart, lost, nil, []string{lossUnnotified}},
		{
			"sessions of a node that restarted are lost when the balancer scatters clients", restart + "\n5m20s scatter for 1m",
			met(users.Lost, "node2", "node3", start+25*time.Second, 1, 2, 3),
			notified{fired(30*time.Second, critical, checks.SessionDrift, "")},
			nil,
		},
		{
			"a restart loses its sessions, which is no critical", restart, lost,
			notified{fired(10*time.Second, critical, checks.NodeRestarted, "node2")},
			[]string{"critical without harm: node_restarted"},
		},
		{
			"sessions of a well node are lost", restart, met(users.Lost, "node1", "node3", start+time.Second, 1, 2, 3),
			notified{restarted},
			[]string{"harm without notification: lost, stale or foreign sessions against the policy"},
		},
		{
			"a user who idled finds the session lost later", restart,
			append(met(users.Lost, "node2", "node2", start+5*time.Second, 1),
				users.Request{User: 2, At: began.Add(4 * time.Minute), Owner: "node2", Node: "node2", Outcome: users.Served},
				users.Request{User: 2, At: began.Add(20 * time.Minute), Owner: "node2", Node: "node2", Outcome: users.Lost}),
			notified{restarted},
			nil,
		},
		{
			"two incidents for one outage", "5m kill node2 for 2m", nil,
			notified{down, fired(100*time.Second, warning, checks.NodeDown, "node2")},
			[]string{"second incident: node_down"},
		},
		{"a deployment is summed up", deploy, lostLater, notified{summary}, nil},
		{"a deployment is not summed up", deploy, lostLater, nil, []string{"harm without notification: no incident", lossUnnotified}},
		{
			"a node restarts within the grace period of a deployment", deploy + "\n5m30s restart node2 for 2s",
			met(users.Lost, "node2", "node2", start+31*time.Second, 1, 2, 3),
			notified{summary},
			nil,
		},
		{
			"a node restarts after the grace period of a deployment", deploy + "\n6m restart node2 for 2s",
			met(users.Lost, "node2", "node2", start+61*time.Second, 1, 2, 3),
			notified{summary},
			[]string{lossUnnotified},
		},
		{
			"a page in a deployment", deploy, lostLater,
			notified{fired(10*time.Second, critical, checks.NodeDown, "node2"), summary},
			[]string{"critical without harm: node_down", "wrong node or cause: node_down"},
		},
		{
			"a node restarts in a blue/green deployment, which takes all sessions and is summed up", deployBlue + "\n5m55s restart node2 for 2s",
			met(users.Lost, "node4", "node2", start+65*time.Second, 1, 2, 3),
			notified{sum(start+110*time.Second, start)},
			nil,
		},
		{
			"users return in another deployment to the nodes of which they lost the sessions",
			deployBlue + "\n6m10s deploy-blue-green node1,node2,node3 for 1m",
			met(users.Lost, "node4", "node6", start+80*time.Second, 1, 2, 3),
			notified{sum(8*time.Minute, start), sum(8*time.Minute, start+70*time.Second)},
			nil,
		},
		{
			"users who idled return while their node, which had been down, is slow for a moment", "5m kill node2 for 1m\n6m20s slow node2 for 20s",
			met(users.Lost, "node3", "node2", start+81*time.Second, 1, 2),
			notified{wasDown},
			nil,
		},
		{
			"sessions that were opened after a notified outage are lost by another one", "5m kill node2 for 1m\n8m restart node2 for 2s",
			met(users.Lost, "node2", "node2", 8*time.Minute+time.Second, 1, 2),
			notified{wasDown},
			[]string{lossUnnotified},
		},
		{"a node's own word needs no harm", "5m paused node2 for 1m", nil, notified{fired(10*time.Second, critical, checks.NodePaused, "node2")}, nil},
		{
			"an incident of its node is open when the canary that is alone on it has to move", restart + "\n6m remove node2 for 1m", nil,
			notified{down, developed(down, 70*time.Second, critical, checks.NodeEjected)},
			nil,
		},
		{
			"the canary that is alone on a node that was added loses its session", "5m scale-out for 1m", nil,
			notified{fired(65*time.Second, critical, checks.BalancerRemapped, "")},
			nil,
		},
		{
			"a user of a node that was added keeps his session", "5m scale-out for 1m", met(users.Served, "node4", "node4", start+62*time.Second, 1, 2),
			notified{fired(65*time.Second, critical, checks.BalancerRemapped, "")},
			[]string{"critical without harm: balancer_remapped"},
		},
		{
			"an incident becomes critical for no reason", restart, nil,
			notified{down, developed(down, 70*time.Second, critical, checks.NodeEjected)},
			[]string{"critical without harm: node_down"},
		},
		{
			"a node that forgets harms the canary that is alone on it", "5m forget node2 for 1m", nil,
			notified{fired(10*time.Second, critical, checks.SessionLost, "node2")},
			nil,
		},
		{
			"a node that forgets harms no session on another node", "5m forget node2 for 1m", nil,
			notified{fired(10*time.Second, critical, checks.SessionLost, "node3")},
			[]string{"critical without harm: session_lost", "wrong node or cause: session_lost"},
		},
		{"a dead node cannot be seen to be paused", "5m kill node2 for 2m\n5m10s paused node2 for 1m", nil, notified{down}, nil},
		{"a long outage deserves a warning", "5m kill node2 for 2m", nil, nil, []string{"harm without notification: no incident"}},
		{"a busy prober is no reason for anything", "5m busy-prober for 20s", nil, notified{down}, []string{"wrong node or cause: node_down"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSchedule(threeNodes + tt.schedule)
			must.Succeed(t, err)
			r := Result{Schedule: s, Began: began, Requests: byTime(tt.requests), Notifications: tt.notifications}
			var got []string
			for _, c := range r.Score().Counterexamples {
				got = append(got, c.Kind())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("counterexamples (-want +got):\n%s\n%s", diff, r.Transcript())
			}
		})
	}
}

// TestClientsFailed tests that errors in the log of the balancer are a reason for a critical alert if
// several clients got them over some time, although no user did.
func TestClientsFailed(t *testing.T) {
	s, err := ParseSchedule(threeNodes + "5m fail-page node1 for 1m")
	must.Succeed(t, err)
	failed := func(client string, at time.Duration) failure {
		return failure{client: client, from: began.Add(at), to: began.Add(at + time.Second)}
	}
	for name, tt := range map[string]struct {
		failures []failure
		want     int // counterexamples
	}{
		"two clients over three seconds": {[]failure{failed("a", 5*time.Minute), failed("b", 5*time.Minute+2*time.Second)}, 0},
		"one client":                     {[]failure{failed("a", 5*time.Minute), failed("a", 5*time.Minute+2*time.Second)}, 1},
		"at one moment":                  {[]failure{failed("a", 5*time.Minute), failed("b", 5*time.Minute)}, 1},
		"a minute before":                {[]failure{failed("a", 4*time.Minute), failed("b", 4*time.Minute+2*time.Second)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := Result{Schedule: s, Began: began, Failures: tt.failures, Notifications: []alerting.Notification{
				firedNotification(5*time.Minute+10*time.Second, checks.Critical, checks.PageFailing, "node1"),
			}}
			expect.Equal(t, "critical without harm", tt.want, r.Score().Count(False))
		})
	}
}

// TestStoreOutageWithoutHarm tests that an operation that concerns no node is no reason for a critical
// alert while no user is harmed.
func TestStoreOutageWithoutHarm(t *testing.T) {
	s, err := ParseSchedule(strings.Replace(threeNodes, "/sticky/", "/shared/", 1) + "5m store-failover for 20s")
	must.Succeed(t, err)
	r := Result{Schedule: s, Began: began, Requests: byTime(met(users.Served, "node1", "node1", 5*time.Minute, 1, 2, 3, 4)), Notifications: []alerting.Notification{
		firedNotification(5*time.Minute+10*time.Second, checks.Critical, checks.SessionLost, ""),
	}}
	found := r.Score().Counterexamples
	if len(found) != 1 || found[0].Kind() != "critical without harm: session_lost" {
		t.Errorf("got %v, want a critical without harm", found)
	}
}

func byTime(list []users.Request) []users.Request {
	log := users.NewLog(list...)
	return log.Requests()
}

func TestTable(t *testing.T) {
	var c ScoreSummary
	one, _ := ParseSchedule(threeNodes)
	c.Add(one, Score{Operations: 10, Deserving: 4, Due: 5, Incidents: 6, Criticals: 3, Harms: 2, Delays: []time.Duration{time.Second, 3 * time.Second}})
	c.Add(one, Score{Operations: 10, Deserving: 6, Due: 5, Incidents: 4, Counterexamples: []Counterexample{{Class: Wrong}, {Class: Silent}}})
	want := "| all | 20 | 2 | 1 | 3 | 0 | 10 | 10.0 % | 1.00 | 3s / 3s |"
	if got := c.Table(); !strings.Contains(got, want) || !strings.Contains(got, "2 hours in virtual time with 20 operations") || !strings.Contains(got, "| ip_hash/sticky/generic | 20 |") {
		t.Errorf("got\n%s\nwant in it\n%s", got, want)
	}
}

// TestTableHasASection checks that only the section of the table is replaced.
func TestTableHasASection(t *testing.T) {
	page := "# Scenarios\n\ntext\n"
	once := withTable(page, "| a |\n")
	if want := "# Scenarios\n\ntext\n\n## Simulation\n\n| a |\n"; once != want {
		t.Errorf("got %q, want %q", once, want)
	}
	if got, want := withTable(once+"\n## More\n", "| b |\n"), "# Scenarios\n\ntext\n\n## Simulation\n\n| b |\n\n## More\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
