package daemon

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestAllNodesDown: one incident from the first to the last notification, for one
// cluster and for two that fail because of one host.
func TestAllNodesDown(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		clusters []string
		summary  string // of the incident, but for the nodes
	}{
		"one cluster":             {[]string{"shop"}, "no node is up: "},
		"two clusters, a machine": {[]string{"shop", "crm"}, "machine 127.0.0.1 is down: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			text := r.file(tt.clusters...)
			r.write(strings.Replace(text, "alerting:\n", "alerting:\n  group: [host]\n", 1))
			d, _ := r.start(t)
			d.untilReady(t)
			for _, n := range r.Nodes {
				n.Stop()
			}
			until(t, "a notification", func() bool { return len(r.receiver.got()) > 0 })
			until(t, "the incident of every cluster", func() bool { return slices.Equal(d.summaries(t), []string{tt.summary}) })
			for _, n := range r.Nodes {
				must.Succeed(t, n.Start())
			}
			within(t, 4*time.Minute, "the end", func() bool { return slices.Contains(r.receiver.got(), "resolved node_down") }) // lost sessions are reported for two minutes
			got := slices.DeleteFunc(r.receiver.got(), func(kind string) bool {
				return kind == "developed node_down" || strings.HasSuffix(kind, "node_ejected") // which the balancer's own memory brings about
			})
			expect.Equal(t, "notifications", []string{"fired node_down", "resolved node_down"}, got)
		})
	}
}

// summaries returns the summaries of the incidents that are not resolved, without
// their nodes.
func (r *running) summaries(t *testing.T) (list []string) {
	t.Helper()
	var answer struct {
		Incidents []struct {
			State, Summary string
			Flapping       bool
		}
	}
	status, body := r.ask(t, http.MethodGet, "/api/v1/incidents", "")
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("got %d %s: %v", status, body, err)
	}
	for _, i := range answer.Incidents {
		if i.Flapping {
			t.Errorf("%q is said to flap", i.Summary)
		}
		if i.State != "resolved" {
			list = append(list, i.Summary[:strings.Index(i.Summary, ": ")+len(": ")])
		}
	}
	return list
}
