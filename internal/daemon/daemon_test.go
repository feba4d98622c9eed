package daemon

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestIncident: a fault is one incident with its cause and is notified once at its
// start and once at its end; a restart in between repeats nothing.
func TestIncident(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, stop := r.start(t)
	d.untilReady(t)
	if got := d.incidents(t); len(got) != 0 {
		t.Fatalf("got %q of a healthy cluster", got)
	}

	must.Succeed(t, r.Break("redis-down"))
	firing := func() bool { return slices.Contains(d.incidents(t), "firing dependency_down") }
	until(t, "an incident that fires", firing)
	until(t, "a notification", func() bool { return len(r.receiver.got()) > 0 })
	stop()

	d, _ = r.start(t)
	if !firing() {
		t.Errorf("got %q after a restart, want the incident to go on", d.incidents(t))
	}
	d.untilReady(t)
	must.Succeed(t, r.Heal())
	until(t, "the end", func() bool { return slices.Contains(d.incidents(t), "resolved dependency_down") })
	expect.Equal(t, "incidents", []string{"resolved dependency_down"}, d.incidents(t))
	until(t, "the last notification", func() bool { return slices.Contains(r.receiver.got(), "resolved dependency_down") })
	sent := slices.DeleteFunc(r.receiver.got(), func(kind string) bool { return strings.HasPrefix(kind, "developed") })
	expect.Equal(t, "notifications", []string{"fired dependency_down", "resolved dependency_down"}, sent)
}

// TestReload: an invalid file changes nothing; after a valid one, unchanged clusters
// continue.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	before := d.active.Load().watchers[0]

	good := r.text
	r.write(good + "nonsense: true\n")
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "nonsense") {
		t.Errorf("got %d %s, want the mistake", status, body)
	}
	if _, body := d.ask(t, http.MethodGet, "/metrics", ""); !strings.Contains(string(body), "stickwatch_config_last_reload_successful 0") {
		t.Error("the failure is no metric")
	}

	r.write(strings.Replace(r.file("shop", "second"), "listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1))
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status == http.StatusOK || !strings.Contains(string(body), "restart") {
		t.Errorf("got %d %s for another address, want what to do", status, body)
	}

	r.write(r.file("shop", "second"))
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
	if d.active.Load().watchers[0] != before {
		t.Error("the cluster that is the same has another watcher")
	}
	d.untilReady(t)
	expect.Equal(t, "snapshots", 2, len(d.Snapshots()))

	r.write(r.file("second"))
	if status, body := d.ask(t, http.MethodPost, "/-/reload", ""); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
	until(t, "the metrics without the removed cluster", func() bool {
		_, body := d.ask(t, http.MethodGet, "/metrics", "")
		return !strings.Contains(string(body), `cluster="shop"`) && strings.Contains(string(body), `cluster="second"`)
	})
}

// TestSilence: silenced findings are notified when the silence ends.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	status, body := d.ask(t, http.MethodPost, "/api/v1/silences", `{"cluster": "shop", "duration": "1h", "reason": "deploy 4.2"}`)
	if status != http.StatusCreated {
		t.Fatalf("got %d %s", status, body)
	}
	id := idOf(t, body)
	must.Succeed(t, r.Break("redis-down"))
	until(t, "an incident", func() bool { return slices.Contains(d.incidents(t), "firing dependency_down") })
	if got := r.receiver.got(); len(got) != 0 {
		t.Errorf("got %q in a silence", got)
	}
	if status, body := d.ask(t, http.MethodDelete, "/api/v1/silences/"+id, ""); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
	until(t, "the notification after the silence", func() bool { return slices.Contains(r.receiver.got(), "fired dependency_down") })
}

// TestDeployment: a rolling restart during an announced deployment causes one
// notification, its summary.
func TestDeployment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	status, body := d.ask(t, http.MethodPost, "/api/v1/deployments", `{"cluster": "shop", "name": "4.2"}`)
	if status != http.StatusCreated {
		t.Fatalf("got %d %s", status, body)
	}
	id := idOf(t, body)
	for _, n := range r.Nodes {
		n.Stop()
		until(t, n.ID()+" is found down", func() bool { return d.isActive(checks.NodeDown, n.ID()) })
		must.Succeed(t, n.Start())
		until(t, n.ID()+" is found up", func() bool { return !d.isActive(checks.NodeDown, n.ID()) })
	}
	until(t, "a metric", func() bool {
		_, body := d.ask(t, http.MethodGet, "/metrics", "")
		return strings.Contains(string(body), `stickwatch_deployment_active{cluster="shop",deployment="4.2"} 1`)
	})
	if status, body := d.ask(t, http.MethodPost, "/api/v1/deployments/"+id+"/end", `{"sessions_moved": 1000, "sessions_lost": 1000}`); status >= 300 {
		t.Fatalf("got %d %s", status, body)
	}
	if status, _ := d.ask(t, http.MethodPost, "/api/v1/deployments/"+id+"/end", ""); status != http.StatusNotFound {
		t.Errorf("got %d for one that has ended, want 404", status)
	}
	until(t, "the summary", func() bool { return len(r.receiver.got()) > 0 })
	got := r.receiver.got()
	if want := "deployment 1000 moved, 1000 lost, node1 node2 node3"; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q alone", got, want)
	}
	if left, err := d.history.Announced(t.Context(), time.Now()); err != nil || len(left) != 1 || left[0].Summed.IsZero() {
		t.Errorf("got %v and error %v, want that it was summed up", left, err)
	}
}

// isActive reports whether a finding about a node is active.
func (r *running) isActive(code checks.Code, node string) bool {
	return slices.ContainsFunc(r.Snapshots()[0].ActiveFindings, func(found checks.ActiveFinding) bool { return found.Code == code && found.Node == node })
}

// TestProbe: /probe returns the metrics of a new round.
func TestProbe(t *testing.T) {
	t.Parallel()
	d, _ := newRig(t).start(t)
	if status, body := d.ask(t, http.MethodGet, "/probe?cluster=shop", ""); status != http.StatusOK || !strings.Contains(string(body), `stickwatch_node_up{cluster="shop",node="node1"} 1`) {
		t.Errorf("got %d %s", status, body)
	}
	if status, _ := d.ask(t, http.MethodGet, "/probe?cluster=nobody", ""); status != http.StatusNotFound {
		t.Errorf("got %d for an unknown cluster, want 404", status)
	}
}
