package alerting

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// at10 parses findings; those about nodes are on the host 10.0.0.5.
func at10(t *testing.T, line string) []checks.Finding {
	t.Helper()
	list := findings(t, line)
	for n := range list {
		if list[n].Code == checks.NodeDown {
			list[n].Host = "10.0.0.5"
		}
	}
	return list
}

// byHost returns the default rules with ByHost.
func byHost() Config {
	c := usual()
	c.ByHost = true
	return c
}

const down2 = "warning node_down/node2"

// TestHost: clusters whose nodes fail because of one host share an incident.
func TestHost(t *testing.T) {
	const s = time.Second
	r := newRig(byHost())
	var got []string
	see := func(at time.Duration, cluster, active string) {
		notifications := r.see(noon.Add(at), cluster, at10(t, active))
		got = append(got, r.lines(notifications)...)
	}
	see(0, "shop", down2)
	see(3*s, "crm", down1)
	see(30*s, "shop", down2)
	see(33*s, "crm", down1+"; "+rotation1)
	if len(r.ids) != 1 {
		t.Fatalf("got %d incidents, want one", len(r.ids))
	}
	i := r.kept[r.ids[0]]
	if i.Cluster != "crm" || !slices.Equal(i.Clusters, []string{"shop", "crm"}) || i.Host != "10.0.0.5" {
		t.Errorf("got cluster %q of %q by %q, want crm, where it is critical, of shop and crm", i.Cluster, i.Clusters, i.Host)
	}
	for language, want := range map[Language]string{
		English: "machine 10.0.0.5 is down: node2 of shop, node1 of crm", Chinese: "主机 10.0.0.5 已宕机，涉及 shop 的 node2、crm 的 node1",
	} {
		if got := language.Summary(i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	see(40*s, "shop", "")
	if i := r.kept[r.ids[0]]; !i.Active() {
		t.Error("the end in shop ended the incident for crm, too")
	}
	see(60*s, "crm", down1+"; "+rotation1)
	see(90*s, "crm", "")
	see(120*s, "crm", "")
	want := []string{
		"ops fired #1 node_down/node2 warning",
		"ops developed #1 node_down/node2 critical [joined node_failing_in_rotation/node1, worsened]",
		"ops resolved #1 node_down/node2 critical [left node_down/node2, left node_down/node1, left node_failing_in_rotation/node1]",
	}
	expect.Equal(t, "notifications", want, got)
}

// TestErrorOfARestart: an error of an open incident stays there when a restart that is not
// notified by itself turns out to be its cause.
func TestErrorOfARestart(t *testing.T) {
	const failed, restarted = "critical balancer_error < node_down/node2", "info node_restarted/node1; critical balancer_error < node_restarted/node1"
	for name, c := range map[string]Config{"one cluster": usual(), "clusters on one host": byHost()} {
		t.Run(name, func(t *testing.T) {
			r := newRig(c)
			if c.ByHost {
				r.see(noon, "shop", at10(t, down2))
			}
			r.see(noon, "crm", at10(t, down2+"; "+failed))
			before := len(r.ids)
			r.see(noon.Add(5*time.Second), "crm", at10(t, down2+"; "+failed))
			r.see(noon.Add(10*time.Second), "crm", at10(t, restarted))
			r.see(noon.Add(20*time.Second), "crm", at10(t, restarted))
			if len(r.ids) != before {
				t.Errorf("got %d incidents after the restart, want %d", len(r.ids), before)
			}
			if i := r.kept[r.ids[0]]; !i.Active() || i.member("crm", "node_restarted/node1") == nil {
				t.Errorf("got the incident active %t with %d findings, want the error and the restart in it", i.Active(), len(i.Findings))
			}
		})
	}
}

// TestSeparateIncidents specifies which findings share no incident.
func TestSeparateIncidents(t *testing.T) {
	apart := byHost()
	apart.ByHost = false
	for name, tt := range map[string]struct {
		config Config
		crm    []checks.Finding
		after  time.Duration
		want   int
	}{
		"together":           {byHost(), at10(t, down1), 0, 1},
		"grouped by cluster": {apart, at10(t, down1), 0, 2},
		"much later":         {byHost(), at10(t, down1), groupWindow + time.Second, 2},
		"another machine":    {byHost(), findings(t, down1), 0, 2},
		"another trouble":    {byHost(), findings(t, paused1), 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(tt.config)
			r.see(noon, "shop", at10(t, down1))
			r.see(noon.Add(tt.after), "crm", tt.crm)
			if len(r.ids) != tt.want {
				t.Errorf("got %d incidents, want %d", len(r.ids), tt.want)
			}
			for _, i := range r.manager.Open() {
				for _, m := range i.Findings {
					if !i.concerns(m.Cluster) {
						t.Errorf("%s has %s of %s, and concerns %q", i.ID, m.Key(), m.Cluster, i.Clusters)
					}
				}
			}
		})
	}
}

// TestSharedIncident: routes match any member of an incident, and it is held back
// only if all its members are silenced or explained.
func TestSharedIncident(t *testing.T) {
	notified := func(c Config, prepare func(*Manager)) []string {
		r := newRig(c)
		prepare(r.manager)
		var got []string
		for _, notifications := range [][]Notification{
			r.see(noon, "shop", at10(t, "critical node_down/node1")), r.see(noon, "crm", at10(t, down1)),
		} {
			got = append(got, r.lines(notifications)...)
		}
		return got
	}
	forCRM := byHost()
	forCRM.Routes = []Route{{Receiver: "ops", Cluster: "crm"}}
	silent := func(clusters ...string) func(*Manager) {
		return func(d *Manager) {
			var list []Silence
			for _, cluster := range clusters {
				list = append(list, Silence{ID: cluster, Cluster: cluster, From: noon, To: noon.Add(time.Hour)})
			}
			d.SetSilences(list)
		}
	}
	fired := []string{"ops fired #1 node_down/node1 critical"}
	for name, tt := range map[string]struct {
		config  Config
		prepare func(*Manager)
		want    []string
	}{
		"a route for the second cluster": {forCRM, silent(), fired},
		"a silence of one":               {byHost(), silent("shop"), fired},
		"silences of both":               {byHost(), silent("shop", "crm"), nil},
		"a deployment of one": {byHost(), func(d *Manager) {
			d.SetDeployments([]Deployment{{ID: "7", Cluster: "shop", Nodes: []string{"node1"}, From: noon}})
		}, fired},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "notifications", tt.want, notified(tt.config, tt.prepare))
		})
	}
}

// TestUnwatchedMember: a removed cluster is removed from a shared incident, and the
// incident about stickwatch itself stays.
func TestUnwatchedMember(t *testing.T) {
	r := newRig(byHost())
	r.see(noon, "shop", at10(t, down1))
	r.see(noon, "crm", at10(t, down1))
	r.see(noon, "", findings(t, "critical slow"))
	r.commit(r.manager.Watch(noon.Add(time.Second), []string{"crm"}))
	var got [][]string
	for _, i := range r.manager.Open() {
		got = append(got, append([]string{i.Cluster}, i.Clusters...))
	}
	expect.Equal(t, "clusters of the open incidents", [][]string{{"crm", "crm"}, {""}}, got)
}
