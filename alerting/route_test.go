package alerting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

func TestReceiversOf(t *testing.T) {
	all := []string{"ops", "pager", "shop"}
	pager := Route{Receiver: "pager", Severity: checks.Critical}
	pagerToo := Route{Receiver: "pager", Severity: checks.Critical, Continue: true}
	for name, tt := range map[string]struct {
		routes   []Route
		severity checks.Severity
		want     []string
	}{
		"no routes: everybody":         {nil, checks.Warning, all},
		"the first that matches":       {[]Route{pager, {Receiver: "ops"}}, checks.Critical, []string{"pager"}},
		"the next, if it does not":     {[]Route{pager, {Receiver: "ops"}}, checks.Warning, []string{"ops"}},
		"both, if the first goes on":   {[]Route{pagerToo, {Receiver: "ops"}}, checks.Critical, []string{"pager", "ops"}},
		"each once":                    {[]Route{pagerToo, pager}, checks.Critical, []string{"pager"}},
		"by cluster":                   {[]Route{{Receiver: "pager", Cluster: "mall"}, {Receiver: "shop", Cluster: "shop"}}, checks.Warning, []string{"shop"}},
		"by code":                      {[]Route{{Receiver: "pager", Code: checks.NodeDown}, {Receiver: "shop", Code: checks.NodePaused}}, checks.Warning, []string{"shop"}},
		"nobody":                       {[]Route{pager}, checks.Warning, nil},
		"a receiver that is not there": {[]Route{{Receiver: "gone", Continue: true}, {Receiver: "ops"}}, checks.Warning, []string{"ops"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := Incident{Cluster: "shop", Severity: tt.severity, Cause: checks.Finding{Code: checks.NodePaused}}
			expect.Equal(t, "receivers", tt.want, router{all, tt.routes}.receiversOf(&i))
		})
	}
}

// TestRoutes: a receiver that was notified of an incident is notified until its end,
// even if routes would no longer select it.
func TestRoutes(t *testing.T) {
	const s = time.Second
	c := usual()
	c.Receivers = []string{"ops", "pager"}
	c.Routes = []Route{{Receiver: "pager", Severity: checks.Critical}, {Receiver: "ops", Severity: checks.Warning}}
	r := newRig(c)
	r.play(t, []testCase{
		{0, down1, nil},
		{30 * s, down1, []string{"ops fired #1 node_down/node1 warning"}},
		{60 * s, down1 + ";" + rotation1, []string{
			"ops developed #1 node_down/node1 critical [joined node_failing_in_rotation/node1, worsened]",
			"pager fired #1 node_down/node1 critical",
		}},
	}, false)
	c.Receivers = []string{"pager"} // a reload
	c.Routes = c.Routes[:1]
	r.manager.Configure(c)
	r.play(t, []testCase{
		{70 * s, "", nil},
		{100 * s, "", []string{"pager resolved #1 node_down/node1 critical [left node_down/node1, left node_failing_in_rotation/node1]"}},
	}, false)
}

// TestNotificationIDs: a manager that repeats lost decisions creates the same IDs.
func TestNotificationIDs(t *testing.T) {
	var ids [2][]string
	for n := range ids {
		r := newRig(usual())
		for _, at := range []time.Duration{0, time.Second, 40 * time.Second, 80 * time.Second} {
			line := paused1
			if at > time.Second {
				line = ""
			}
			for _, notification := range r.see(noon.Add(at), "shop", findings(t, line)) {
				ids[n] = append(ids[n], notification.ID)
			}
		}
	}
	id := incidentID(noon, "shop", "node_paused/node1")
	expect.Equal(t, "ids", []string{id + "/ops/1", id + "/ops/2"}, ids[0])
	if diff := cmp.Diff(ids[0], ids[1]); diff != "" {
		t.Errorf("ids of the second run (-first +second):\n%s", diff)
	}
}

func TestDecisionThen(t *testing.T) {
	a := Decision{Incidents: []Incident{{ID: "1", State: Pending}, {ID: "2"}}, Notifications: []Notification{{ID: "1/ops/1"}}}
	b := Decision{Incidents: []Incident{{ID: "1", State: Firing}}, Notifications: []Notification{{ID: "1/ops/2"}}}
	want := Decision{Incidents: []Incident{{ID: "2"}, {ID: "1", State: Firing}}, Notifications: []Notification{{ID: "1/ops/1"}, {ID: "1/ops/2"}}}
	expect.Equal(t, "joined", want, a.Then(b), unexported)
	if !(Decision{}).Then(Decision{}).Empty() || a.Empty() {
		t.Error("a decision is empty if it has neither incidents nor notifications")
	}
}
