package history

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestRestore(t *testing.T) {
	db := opened(t)
	ended := incident("0-ended")
	ended.State, ended.Ended = alerting.Resolved, testTime.Add(time.Minute)
	quiet := incident("1-quiet")
	quiet.Ended = testTime.Add(time.Minute) // it may flap
	activeFindings := map[string][]checks.ActiveFinding{
		"shop": {{Finding: checks.Finding{Code: checks.NodeDown, Node: "node1", Evidence: []checks.Message{checks.Quote("refused")}}, Since: testTime, Last: testTime}},
	}
	for _, s := range []WriteSet{
		{Decision: alerting.Decision{Incidents: []alerting.Incident{ended, quiet}}, ActiveFindings: map[string][]checks.ActiveFinding{"shop": activeFindings["shop"], "mail": activeFindings["shop"]}},
		{ActiveFindings: map[string][]checks.ActiveFinding{"mail": {}}},
	} {
		must.Succeed(t, db.Commit(t.Context(), s))
	}
	silence := alerting.Silence{ID: "s1", Cluster: "shop", Reason: "deploy", From: testTime, To: testTime.Add(time.Hour)}
	past := alerting.Silence{ID: "s0", From: testTime.Add(-time.Hour), To: testTime}
	for _, s := range []alerting.Silence{silence, past} {
		must.Succeed(t, db.AddSilence(t.Context(), s))
	}
	for _, c := range []map[string]float64{{"a": 1, "b": 2}, {"a": 1.5}} {
		must.Succeed(t, db.SaveCounters(t.Context(), c))
	}
	got, err := db.Restore(t.Context())
	must.Succeed(t, err)
	want := State{
		Incidents: []alerting.Incident{quiet}, ActiveFindings: activeFindings,
		Silences: []alerting.Silence{silence}, Counters: map[string]float64{"a": 1.5, "b": 2},
	}
	expect.Equal(t, "state", want, got, kept)
}

// TestIncidentIsKeptInBothLanguages: a stored incident can be shown in both languages, and the
// file contains its English text.
func TestIncidentIsKeptInBothLanguages(t *testing.T) {
	db := opened(t)
	i := incident("1")
	silent := checks.Message{ID: checks.MsgExchange, Args: checks.Args{Path: "/status", Reason: "connection refused", At: testTime}}
	i.Cause.Summary = checks.Message{ID: checks.MsgNodeSilent, Args: checks.Args{Node: "node1", Reason: "connection refused"}}
	i.Cause.Evidence = []checks.Message{{ID: checks.MsgAskedDirectly, Args: checks.Args{Why: &silent}}}
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{i}}}))
	found, err := db.Incidents(t.Context(), alerting.IncidentQuery{})
	if err != nil || len(found) != 1 {
		t.Fatalf("got %d incidents and error %v, want one", len(found), err)
	}
	if diff := cmp.Diff(i, found[0], kept, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("incident (-kept +read):\n%s", diff)
	}
	if got, want := found[0].Cause.Evidence[0].In(checks.Chinese), "直接访问：/status：连接被拒绝（12:00:00.000）"; got != want {
		t.Errorf("in Chinese it is %q, want %q", got, want)
	}
	var body string
	const text = `"Text":"node1 does not answer when asked directly: connection refused"`
	if err := db.pool.QueryRowContext(t.Context(), "SELECT body FROM incidents").Scan(&body); err != nil || !strings.Contains(body, text) {
		t.Errorf("the history has %s and error %v, want the English text", body, err)
	}
}

func TestExpireSilence(t *testing.T) {
	db := opened(t)
	s := alerting.Silence{ID: "s1", Reason: "deploy", From: testTime, To: testTime.Add(time.Hour)}
	must.Succeed(t, db.AddSilence(t.Context(), s))
	if err := db.ExpireSilence(t.Context(), "s2", testTime); !errors.Is(err, ErrNotFound) {
		t.Errorf("got error %v, want ErrNotFound", err)
	}
	for _, after := range []time.Duration{20 * time.Minute, 30 * time.Minute} { // the second call changes nothing
		must.Succeed(t, db.ExpireSilence(t.Context(), "s1", testTime.Add(after)))
	}
	for at, want := range map[time.Duration]int{0: 1, 20*time.Minute - 1: 1, 20 * time.Minute: 0} {
		got, err := db.Silences(t.Context(), testTime.Add(at))
		must.Succeed(t, err)
		if len(got) != want {
			t.Errorf("after %s: got %d silences, want %d", at, len(got), want)
		}
	}
}

func TestIncidents(t *testing.T) {
	db := opened(t)
	a, b, c := incident("a"), incident("b"), incident("c")
	a.State, a.Ended = alerting.Resolved, testTime.Add(time.Minute)
	b.Started = testTime.Add(time.Hour)
	c.Started, c.Cluster, c.Clusters = testTime.Add(2*time.Hour), "mail", []string{"crm", "mail"}
	a.Severity = checks.Warning
	b.Findings = []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: b.Cause, Since: b.Started}, Cluster: "shop"}}
	b.Findings[0].Severity = checks.Critical
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{a, b, c}}}))
	between := func(from, to time.Duration) checks.Span {
		return checks.Span{From: testTime.Add(from), To: testTime.Add(to)}
	}
	for name, tt := range map[string]struct {
		query alerting.IncidentQuery
		want  []string
	}{
		"all, the newest first": {alerting.IncidentQuery{}, []string{"c", "b", "a"}},
		"one":                   {alerting.IncidentQuery{ID: "b"}, []string{"b"}},
		"none":                  {alerting.IncidentQuery{ID: "z"}, nil},
		"of a cluster":          {alerting.IncidentQuery{Cluster: "mail"}, []string{"c"}},
		"of another cluster":    {alerting.IncidentQuery{Cluster: "crm"}, []string{"c"}},
		"of no cluster":         {alerting.IncidentQuery{Cluster: "other"}, nil},
		"in a state":            {alerting.IncidentQuery{State: alerting.Resolved}, []string{"a"}},
		"a few":                 {alerting.IncidentQuery{Limit: 1}, []string{"c"}},
		"resolved":              {alerting.IncidentQuery{Phase: alerting.PhaseResolved}, []string{"a"}},
		"ongoing":               {alerting.IncidentQuery{Phase: alerting.PhaseOngoing}, []string{"b"}},
		"recovering":            {alerting.IncidentQuery{Phase: alerting.PhaseRecovering, Limit: 1}, []string{"c"}},
		"of a severity":         {alerting.IncidentQuery{Severity: checks.Warning, Limit: 1}, []string{"a"}},
		"of a code":             {alerting.IncidentQuery{Code: checks.NodeEjected}, nil},
		"open in a span":        {alerting.IncidentQuery{Span: between(30*time.Second, 90*time.Minute)}, []string{"b", "a"}},
		"a span after the end":  {alerting.IncidentQuery{Span: between(2*time.Minute, time.Hour)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := db.Incidents(t.Context(), tt.query)
			must.Succeed(t, err)
			var got []string
			for _, i := range found {
				got = append(got, i.ID)
			}
			expect.Equal(t, "incidents", tt.want, got)
		})
	}
}

func TestMovesAndChanges(t *testing.T) {
	db := opened(t)
	move := checks.Move{At: testTime, Cluster: "shop", From: "node1", To: `"stranger"`, Kept: true, Session: "s:3f9a12c4", Cause: checks.Message{ID: checks.MsgMovedUnexplained}}
	change := Change{Cluster: "shop", Change: checks.Change{
		Kind: checks.Appeared, At: testTime, Reason: "seen twice",
		ActiveFinding: checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Node: "node1"}, Since: testTime, Last: testTime},
	}}
	write(t, db, Batch{Moves: []checks.Move{move}, Changes: []Change{change}})
	span := checks.Span{From: testTime, To: testTime.Add(time.Second)}
	moves, err := db.Moves(t.Context(), "shop", span, 0)
	must.Succeed(t, err)
	expect.Equal(t, "moves", []checks.Move{move}, moves)
	changes, err := db.Changes(t.Context(), "", span, 0)
	must.Succeed(t, err)
	expect.Equal(t, "changes", []Change{change}, changes, kept)
	if moves, err := db.Moves(t.Context(), "mail", span, 0); err != nil || len(moves) > 0 {
		t.Errorf("got moves %v and error %v, want another cluster to have none", moves, err)
	}
}

func TestDeployments(t *testing.T) {
	db := opened(t)
	d := checks.Deployment{Cluster: "shop", Name: "4.2", Span: checks.Span{From: testTime}, Nodes: []string{"node1"}}
	id, err := db.BeginDeployment(t.Context(), d)
	must.Succeed(t, err)
	later := checks.Span{From: testTime.Add(time.Hour), To: testTime.Add(2 * time.Hour)}
	got, err := db.Deployments(t.Context(), "shop", later)
	must.Succeed(t, err)
	expect.Equal(t, "while it goes on", []checks.Deployment{d}, got)
	must.Succeed(t, db.EndDeployment(t.Context(), id, testTime.Add(time.Minute), nil))
	if got, err := db.Deployments(t.Context(), "shop", later); err != nil || len(got) > 0 {
		t.Errorf("got deployments %v and error %v, want none after its end", got, err)
	}
	for _, id := range []string{id, "none"} {
		if err := db.EndDeployment(t.Context(), id, testTime, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("ending %q: got error %v, want ErrNotFound", id, err)
		}
	}
}

// TestUnendedDeployment: it ends after the maximum duration and expires like others.
func TestUnendedDeployment(t *testing.T) {
	db := opened(t)
	if _, err := db.BeginDeployment(t.Context(), checks.Deployment{Cluster: "shop", Name: "4.2", Span: checks.Span{From: testTime}}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  []checks.Span
	}{
		{alerting.LongestDeployment - time.Millisecond, []checks.Span{{From: testTime}}},
		{alerting.LongestDeployment, []checks.Span{{From: testTime, To: testTime.Add(alerting.LongestDeployment)}}},
		{db.config.Retention + alerting.LongestDeployment + time.Hour, nil},
	} {
		must.Succeed(t, db.maintain(t.Context(), testTime.Add(tt.after)))
		all, err := db.Deployments(t.Context(), "shop", checks.Span{})
		must.Succeed(t, err)
		var got []checks.Span
		for _, d := range all {
			got = append(got, d.Span)
		}
		expect.Equal(t, fmt.Sprintf("after %s", tt.after), tt.want, got)
	}
}

// TestWriteSetThen: the later one overrides the earlier one.
func TestWriteSetThen(t *testing.T) {
	a := WriteSet{ActiveFindings: map[string][]checks.ActiveFinding{"shop": {{Since: testTime}}, "mail": {{Since: testTime}}}}
	b := WriteSet{Decision: alerting.Decision{Notifications: []alerting.Notification{{ID: "1"}}}, ActiveFindings: map[string][]checks.ActiveFinding{"shop": nil}}
	want := WriteSet{Decision: b.Decision, ActiveFindings: map[string][]checks.ActiveFinding{"shop": nil, "mail": {{Since: testTime}}}}
	expect.Equal(t, "then", want, a.Then(b), kept, cmpopts.EquateEmpty())
	if !(WriteSet{}).Then(WriteSet{}).Empty() || a.Empty() || b.Empty() {
		t.Error("a write set is empty when there is nothing in it")
	}
}

// TestPlacementsReplace: a placement that goes on replaces the stored one, and it is found in
// each span that it touches.
func TestPlacementsReplace(t *testing.T) {
	db := opened(t)
	at := func(minutes int) time.Time { return testTime.Add(time.Duration(minutes) * time.Minute) }
	begun := checks.Placement{Cluster: "shop", Balancer: "lb", Owner: "node1", Span: checks.Span{From: at(0), To: at(0)}, Node: "node1", Outcome: checks.OutcomeServed}
	extended, next := begun, begun
	extended.To = at(10)
	next.From, next.To, next.Node, next.Outcome = at(11), at(12), "node2", checks.OutcomeLost
	write(t, db, Batch{Placements: []checks.Placement{begun}})
	write(t, db, Batch{Placements: []checks.Placement{extended, next}})
	for name, test := range map[string]struct {
		span checks.Span
		want []checks.Placement
	}{
		"all":        {checks.Span{From: at(-1), To: at(20)}, []checks.Placement{next, extended}},
		"inside":     {checks.Span{From: at(3), To: at(4)}, []checks.Placement{extended}},
		"afterwards": {checks.Span{From: at(13), To: at(20)}, nil},
	} {
		got, err := db.Placements(t.Context(), "shop", test.span, 0)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestNodeLists checks that the newest list of a cluster is kept, and one of long ago is not.
func TestNodeLists(t *testing.T) {
	db := opened(t)
	list := func(cluster string, at time.Time, ids ...string) NodeList {
		l := NodeList{Cluster: cluster, Source: "key", At: at}
		for _, id := range ids {
			l.Nodes = append(l.Nodes, ListedNode{ID: id, URL: "http://" + id, Host: "app", Server: "web1", Protocol: "h2c"})
		}
		return l
	}
	want := []NodeList{list("mail", testTime, "10.0.0.9:80"), list("shop", testTime, "10.0.0.3:80", "10.0.0.1:80")}
	for _, lists := range [][]NodeList{
		{list("gone", testTime.Add(-keptNodeLists-time.Hour), "10.0.0.8:80")},
		{list("shop", testTime.Add(-time.Hour), "10.0.0.1:80")},
		want,
	} {
		must.Succeed(t, db.PutNodeLists(t.Context(), lists))
	}
	got, err := db.NodeLists(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got error %v (-want +got):\n%s", err, diff)
	}
}

func TestForgetOld(t *testing.T) {
	db := opened(t)
	ended := incident("ended")
	ended.State, ended.Fired, ended.Ended = alerting.Resolved, testTime, testTime
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{
		Incidents: []alerting.Incident{ended, incident("open")}, Notifications: []alerting.Notification{notification("waits", "ops", "open")},
	}}))
	write(t, db, Batch{
		Moves:      []checks.Move{{At: testTime, Cluster: "shop"}},
		Placements: []checks.Placement{{Cluster: "shop", Span: checks.Span{From: testTime, To: testTime}}},
	})
	must.Succeed(t, db.maintain(t.Context(), testTime.Add(401*24*time.Hour)))
	found, err := db.Incidents(t.Context(), alerting.IncidentQuery{})
	must.Succeed(t, err)
	expect.Equal(t, "incidents", []alerting.Incident{incident("open")}, found, kept, cmpopts.EquateEmpty())
	if moves, err := db.Moves(t.Context(), "", checks.Span{}, 0); err != nil || len(moves) > 0 {
		t.Errorf("got moves %v and error %v, want none", moves, err)
	}
	if placements, err := db.Placements(t.Context(), "shop", checks.Span{}, 0); err != nil || len(placements) > 0 {
		t.Errorf("got placements %v and error %v, want none", placements, err)
	}
	if got := claimed(t, db, "ops", testTime); got.ID != "waits" {
		t.Errorf("got %q, want the pending notification", got.ID)
	}
}

// TestUnnotifiedIncidentsExpireFirst: incidents without a notification expire a day after they
// ended.
func TestUnnotifiedIncidentsExpireFirst(t *testing.T) {
	db := opened(t)
	unnotified := incident("unnotified")
	unnotified.State, unnotified.Ended = alerting.Resolved, testTime
	quiet := incident("quiet") // it may flap
	quiet.State, quiet.Ended = alerting.Pending, testTime
	fired := incident("fired")
	fired.State, fired.Fired, fired.Ended = alerting.Resolved, testTime, testTime
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{unnotified, quiet, fired}}}))
	for _, tt := range []struct {
		after time.Duration
		want  []string
	}{
		{23 * time.Hour, []string{"unnotified", "quiet", "fired"}},
		{25 * time.Hour, []string{"quiet", "fired"}},
	} {
		must.Succeed(t, db.maintain(t.Context(), testTime.Add(tt.after)))
		found, err := db.Incidents(t.Context(), alerting.IncidentQuery{})
		must.Succeed(t, err)
		var got []string
		for _, i := range found {
			got = append(got, i.ID)
		}
		expect.Equal(t, fmt.Sprintf("after %s", tt.after), tt.want, got)
	}
}

// TestAnnounced: an announced deployment and its observed data are returned until it is
// summarized.
func TestAnnounced(t *testing.T) {
	db := opened(t)
	id, err := db.BeginDeployment(t.Context(), checks.Deployment{Cluster: "shop", Name: "4.2", Span: checks.Span{From: testTime}, Nodes: []string{"node1", "node2"}})
	must.Succeed(t, err)
	want := alerting.Deployment{ID: id, Cluster: "shop", Name: "4.2", Nodes: []string{"node1", "node2"}, From: testTime, Touched: []string{}}
	announced := func(want ...alerting.Deployment) {
		t.Helper()
		got, err := db.Announced(t.Context(), testTime.Add(5*time.Minute))
		must.Succeed(t, err)
		expect.Equal(t, "announced", want, got)
	}
	announced(want)
	observed := want
	observed.Touched, observed.CanariesLost, observed.LastLost = []string{"node1"}, 2, testTime.Add(time.Second)
	want = observed
	want.To, want.Watched = testTime.Add(time.Minute), &alerting.WatchedCounts{Moved: 12, Lost: 3, Longest: 3400 * time.Millisecond}
	must.Succeed(t, db.EndDeployment(t.Context(), id, want.To, want.Watched))
	// The observed data is written later and does not contain the end.
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Deployments: []alerting.Deployment{observed}}}))
	announced(want)
	if state, err := db.Restore(t.Context()); err != nil || cmp.Diff([]alerting.Deployment{want}, state.Announced) != "" {
		t.Errorf("got %v and error %v after a restart", state.Announced, err)
	}
	observed.Summed = testTime.Add(2 * time.Minute)
	must.Succeed(t, db.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Deployments: []alerting.Deployment{observed}}}))
	want.Summed = observed.Summed
	announced(want)
	if late, err := db.Announced(t.Context(), observed.Summed.Add(alerting.EventMemory)); err != nil || len(late) != 0 {
		t.Errorf("got %v and error %v long after it was summed up, want none", late, err)
	}
}

// TestClusters: a cluster that several sites watch has no targets, but decisions.
func TestClusters(t *testing.T) {
	db := opened(t)
	write(t, db, Batch{Samples: []checks.Sample{{Target: checks.Target{Cluster: "shop@x", Kind: checks.TargetNode, Name: "node1"}, At: testTime, OK: true}}})
	must.Succeed(t, db.Commit(t.Context(), WriteSet{ActiveFindings: map[string][]checks.ActiveFinding{"shop": nil}}))
	for _, cluster := range []string{"crm", "shop"} {
		if _, err := db.BeginDeployment(t.Context(), checks.Deployment{Cluster: cluster, Name: "4.2", Span: checks.Span{From: testTime}}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Clusters(t.Context())
	if diff := cmp.Diff([]string{"crm", "shop", "shop@x"}, got); err != nil || diff != "" {
		t.Errorf("error %v, clusters (-want +got):\n%s", err, diff)
	}
}

// TestCountsOf: each session counts once, also if it was lost without a move, and an outage of a node is no outage of its clients.
func TestCountsOf(t *testing.T) {
	db := opened(t)
	move := func(after time.Duration, session probes.Fingerprint, kept bool) checks.Move {
		return checks.Move{At: testTime.Add(after), Cluster: "shop", From: "node1", To: "node2", Kept: kept, Session: session}
	}
	sample := func(kind checks.TargetKind, after time.Duration, ok bool) checks.Sample {
		return checks.Sample{Target: checks.Target{Cluster: "shop", Kind: kind, Name: "node1"}, At: testTime.Add(after), OK: ok, Status: 200}
	}
	placed := func(after time.Duration, node string, outcome checks.Outcome) checks.Placement {
		at := testTime.Add(after)
		return checks.Placement{Cluster: "shop", Balancer: "lb", Owner: "node1", Node: node, Outcome: outcome, Span: checks.Span{From: at, To: at.Add(time.Second)}}
	}
	const s = time.Second
	write(t, db, Batch{
		Placements: []checks.Placement{
			placed(-10*s, "node1", checks.OutcomeLost), placed(4*s, "node2", checks.OutcomeLost), placed(7*s, "node1", checks.OutcomeLost), placed(9*s, "node1", checks.OutcomeServed),
		},
		Moves: []checks.Move{
			move(s, "a", true), move(2*s, "a", true), move(3*s, "b", true), move(4*s, "b", false), move(5*s, "", false), move(6*s, "", false),
			move(-s, "c", false), move(time.Minute, "d", true),
		},
		Samples: []checks.Sample{
			sample(checks.TargetCanary, s, true), sample(checks.TargetCanary, 2*s, false), sample(checks.TargetCanary, 5*s, true),
			sample(checks.TargetNode, s, true), sample(checks.TargetNode, 2*s, false), sample(checks.TargetNode, 30*s, true),
		},
	})
	got, err := db.CountsOf(t.Context(), "shop", checks.Span{From: testTime, To: testTime.Add(time.Minute)})
	must.Succeed(t, err)
	expect.Equal(t, "counts", alerting.Counts{Moved: 4, Lost: 4, Longest: 3 * s}, got)
}
