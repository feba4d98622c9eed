package evidence

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestRecordedPages(t *testing.T) {
	t.Parallel()
	apache := func(route bool) []probes.ServerEvidence {
		list := []probes.ServerEvidence{
			{Server: "node1", Address: "127.0.0.1:33211", State: probes.ServerUp, Detail: "Init Ok"},
			{Server: "node2", Address: "127.0.0.1:21100", State: probes.ServerDown, Detail: "Init Err"},
			{Server: "node3", Address: "127.0.0.1:1", State: probes.ServerMaintenance, Detail: "Init Dis"},
			{Server: "node4", Address: "127.0.0.1:2", State: probes.ServerUp, Detail: "Init Stby Ok"},
		}
		for i := range list {
			list[i].Pool, list[i].Scheme = "cluster", "http"
			if !route {
				list[i].Server = list[i].Address
			}
		}
		return list
	}
	tests := map[string][]probes.ServerEvidence{
		"haproxy": {
			{Server: "node1", State: probes.ServerUp, Detail: "UP, L7OK 200"},
			{Server: "node2", State: probes.ServerDown, Fails: 1, Downs: 1, Detail: "DOWN, L4CON, Connection refused"},
			{Server: "node3", State: probes.ServerMaintenance, Detail: "MAINT"},
			{Server: "node4", State: probes.ServerUp, Detail: "UP, L7OK 200"},
			{Server: "node5", State: probes.ServerUp, Detail: "no check", Unchecked: true},
			{Server: "node6", State: probes.ServerDown, Fails: 1, Downs: 1, Detail: "DOWN, weight 0, L4CON, Connection refused"},
		},
		"status":  apache(false),
		"manager": apache(true),
		"caddy": {
			{Server: "127.0.0.1:36973", Address: "127.0.0.1:36973", State: probes.ServerUnknown, Detail: "0 recent failures, 0 requests in flight"},
			{Server: "127.0.0.1:21100", Address: "127.0.0.1:21100", State: probes.ServerUnknown, Fails: 1, Detail: "1 recent failures, 0 requests in flight"},
		},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := serve(t, answer(testdata(t, recordings[name])))
			obs := readers[name](t.Context(), u)
			if obs.Error != "" || obs.NoAbsence != "" {
				t.Errorf("Error = %q, Silent = %q, want neither", obs.Error, obs.NoAbsence)
			}
			ignore := cmpopts.IgnoreFields(probes.ServerEvidence{}, "Since")
			if name == "haproxy" {
				ignore = cmpopts.IgnoreFields(probes.ServerEvidence{}, "Since", "Pool")
			}
			expect.Equal(t, "servers", want, obs.Servers, ignore)
		})
	}
}

// TestSince: HAProxy reports how long ago a state began, httpd reports when.
func TestSince(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 23, 45, 0, 500, time.UTC)
	servers, err := parseHAProxy(testdata(t, "haproxy.csv"), at, "cluster")
	must.Succeed(t, err)
	if want := at.Add(-2 * time.Second).Truncate(time.Second); !servers[1].Since.Equal(want) {
		t.Errorf("HAProxy's node2 is down since %v, want %v", servers[1].Since, want)
	}
	servers, err = parseManager(testdata(t, "apache_manager.xml"), at)
	must.Succeed(t, err)
	if got := servers[1].Since; got.IsZero() || !servers[0].Since.IsZero() {
		t.Errorf("httpd's node2 is down since %v and node1 up since %v, want a time and none", got, servers[0].Since)
	}
}

func TestHAProxyBackend(t *testing.T) {
	t.Parallel()
	u := serve(t, answer(testdata(t, "haproxy.csv")))
	if obs := HAProxyStats(t.Context(), nil, u, "cluster"); len(obs.Servers) != 6 {
		t.Errorf("backend cluster has %d servers, want 6", len(obs.Servers))
	}
	obs := HAProxyStats(t.Context(), nil, u, "shop")
	if len(obs.Servers) != 0 || !strings.Contains(obs.NoAbsence, `of backend "shop"`) {
		t.Errorf("got %d servers, Silent %q, of a backend that there is not", len(obs.Servers), obs.NoAbsence)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	const (
		up, down, draining   = probes.ServerUp, probes.ServerDown, probes.ServerDraining
		maintenance, unknown = probes.ServerMaintenance, probes.ServerUnknown
	)
	tests := []struct {
		of   func(string) probes.ServerState
		want map[string]probes.ServerState
	}{
		{haproxyState, map[string]probes.ServerState{
			"UP": up, "UP 1/3": up, "no check": up,
			"DOWN": down, "DOWN 1/2": down, "DOWN (agent)": down,
			"NOLB": draining, "NOLB 1/2": draining, "DRAIN": draining, "DRAIN (agent)": draining,
			"MAINT": maintenance, "MAINT (via shop/node1)": maintenance, "MAINT (resolution)": maintenance,
			"": unknown, "OPEN": unknown, "no": unknown, "UPSIDE": unknown,
		}},
		{apacheState, map[string]probes.ServerState{
			"Init Ok ": up, "Init Ign Ok ": up, "Init Stby Ok ": up, "Init Spar Ok ": up, "Init Gen Ok": up, "Init Free Ok": up,
			"Init Err ": down, "Init HcFl ": down, "Init Shut ": down, "Init Drn Err": draining,
			"Init Drn Ok": draining, "Init Dis ": maintenance, "Init Stop ": maintenance, "Init Dis Err ": maintenance,
			"": unknown, "Init ": unknown, "Okay": unknown,
		}},
	}
	for _, test := range tests {
		for status, want := range test.want {
			if got := test.of(status); got != want {
				t.Errorf("%q is %q, want %q", status, got, want)
			}
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://10.0.0.1:8080":              "10.0.0.1:8080",
		"https://node1/app":                 "node1:443",
		"ajp://node1":                       "node1:8009",
		"http://[::1]:80":                   "[::1]:80",
		"unix:/run/a.sock|http://localhost": "unix:/run/a.sock",
		"node1":                             "",
		"http://%zz":                        "",
	} {
		if got := address(text); got != want {
			t.Errorf("address(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestHangingLog has a log whose reading hangs, as that of a file server that is gone does. Rounds
// go on without it.
func TestHangingLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(&probes.Cluster{
			Limits:   probes.Limits{Timeout: 5 * time.Second},
			Balancer: probes.Balancer{URLs: []*url.URL{{Scheme: "http", Host: "lb"}}, Evidence: probes.EvidenceSources{NginxErrorLog: "error.log"}},
		})
		hangs := make(chan struct{})
		read := r.sources[0].readFunc
		r.sources[0].readFunc = func(ctx context.Context) probes.EvidenceObservation {
			<-hangs
			return read(ctx)
		}
		for range 2 {
			began := time.Now()
			if got := r.Read(t.Context()); got[0].Error != "it does not answer" || time.Since(began) > 10*time.Second {
				t.Errorf("got %+v after %s", got[0], time.Since(began))
			}
		}
		if err := r.Close(); err == nil {
			t.Error("the log was closed while it was read")
		}
		close(hangs)
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
