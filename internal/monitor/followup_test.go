package monitor_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/sim"
	"stickwatch/probes"
)

// startInMemory starts a cluster on a network in memory, for tests in virtual time. Its answers
// take the same time on any machine, so that none of them hangs.
func startInMemory(t *testing.T, c demo.Config, profile string) watched {
	t.Helper()
	c.Network = sim.NewNetwork(1, time.Millisecond)
	d := start(t, c, profile, nil)
	d.config.Dial = c.Network.DialContext
	return d
}

// behindRoundRobin returns a cluster with a round-robin balancer and three nodes that share
// sessions.
func behindRoundRobin(t *testing.T) (watched, *monitor.Watcher, *recordingObserver) {
	t.Helper()
	d := startInMemory(t, demo.Config{Method: probes.MethodRoundRobin, Workers: 1, Shared: true}, "tomcat-msm")
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
	log.newChanges()
	w.SetBackoff(0)
	return d, w, log
}

// TestStoringFails: follow-ups notice that a node no longer stores values.
func TestStoringFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{Shared: true}, "tomcat")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
		log.newChanges()
		w.SetBackoff(0)
		d.Nodes[1].Set(demo.NodeFaults{SessionFaults: demo.SessionFaults{StoringStatus: 500}})
		for range 10 {
			w.FollowUp(t.Context())
		}
		if diff := cmp.Diff([]string{"appeared session_failing node2"}, log.newChanges()); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestOutcomeOfEarlierRequest: a request of a follow-up that waits while a full round sends others of
// the same canary has its own outcome, and not that of the newest.
func TestOutcomeOfEarlierRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{HAProxy: &demo.HAProxyConfig{Balance: demo.HAProxySource, Retries: 3, Redispatch: true}}, "generic")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Canary: 500 * time.Millisecond, Status: time.Hour})
		w.SetBackoff(0)
		before := len(log.requests)
		d.Nodes[0].Stop()
		time.AfterFunc(2500*time.Millisecond, func() {
			if err := d.Nodes[0].Start(); err != nil {
				t.Error(err)
			}
		})
		w.FollowUp(t.Context())
		failed := 0
		for _, q := range log.requests[before:] {
			if q.Canary && q.Served == "" {
				failed++
				if q.Outcome != checks.OutcomeError {
					t.Errorf("a request that no node answered has the outcome %s", q.Outcome)
				}
			}
		}
		if failed == 0 {
			t.Error("no request failed")
		}
	})
}

// A rewoundStore is a store whose failover loses the newest writes.
type rewoundStore struct {
	*demo.MemoryStore
	mu   sync.Mutex
	puts []put
}

type put struct {
	at time.Time
	id string
	s  demo.Session
}

func (r *rewoundStore) Put(ctx context.Context, id string, s demo.Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.puts = append(r.puts, put{time.Now(), id, maps.Clone(s)})
	return r.MemoryStore.Put(ctx, id, s)
}

// rewind loses what was stored in the last d.
func (r *rewoundStore) rewind(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := slices.DeleteFunc(r.puts, func(p put) bool { return time.Since(p.at) < d })
	r.MemoryStore.Clear()
	for _, p := range kept {
		r.MemoryStore.Put(context.Background(), p.id, p.s)
	}
	r.puts = kept
}

// TestLostWrites: a failover of the store that loses the writes of the last four seconds is noticed
// whenever it happens, because in each follow-up a canary writes, and returns before it writes again.
func TestLostWrites(t *testing.T) {
	for _, nodes := range []int{2, 3, 7} {
		for before := range 6 {
			if nodes == 2 && before == 5 {
				continue // the 30 s of the idle canaries: one has taken the turn of the canary that may write
			}
			t.Run(fmt.Sprintf("%d nodes, %d follow-ups before", nodes, before), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := &rewoundStore{MemoryStore: demo.NewStore()}
					d := startInMemory(t, demo.Config{Nodes: nodes, Method: probes.MethodRoundRobin, Workers: 1, Store: store}, "tomcat")
					d.config.Session.Policy = probes.PolicyShared
					w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
					for range 4 + before {
						time.Sleep(3 * time.Second)
						w.FollowUp(t.Context())
					}
					log.newChanges()
					time.Sleep(time.Second)
					store.rewind(4 * time.Second)
					time.Sleep(2 * time.Second)
					w.FollowUp(t.Context())
					if got := log.newChanges(); len(got) != 1 || !strings.HasPrefix(got[0], "appeared session_rollback") {
						t.Errorf("got changes %q, want session_rollback", got)
					}
				})
			})
		}
	}
}

// sixFollowUps is the number of follow-ups of three canaries that one of three nodes must
// miss: 18 clients exclude chance.
const sixFollowUps = 6

// TestMissedNode: if sessions are shared, a node that answers no canary starts a full round as
// soon as chance is excluded.
func TestMissedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, log := behindRoundRobin(t)
		must.Succeed(t, d.Break("ejected"))
		for range sixFollowUps - 1 {
			w.FollowUp(t.Context())
		}
		if got := log.fullRounds(); got != 1 {
			t.Errorf("after %d visits: got %d whole rounds, want only the first", sixFollowUps-1, got)
		}
		w.FollowUp(t.Context())
		if diff := cmp.Diff([]string{"appeared node_ejected node2"}, log.newChanges()); diff != "" {
			t.Errorf("after %d visits (-want +got):\n%s", sixFollowUps, diff)
		}
		for range 2 * sixFollowUps {
			w.FollowUp(t.Context())
		}
		if got := log.fullRounds(); got != 2 {
			t.Errorf("got %d whole rounds, want no other one for what is known", got)
		}
	})
}

// TestNodeMetOccasionally: a node that answers a canary occasionally is not missing.
func TestNodeMetOccasionally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, log := behindRoundRobin(t)
		for range 2 {
			d.Balancer.Set(demo.BalancerFaults{Ejected: []string{d.Nodes[1].Addr()}})
			for range sixFollowUps - 1 {
				w.FollowUp(t.Context())
			}
			d.Balancer.Set(demo.BalancerFaults{})
			w.FollowUp(t.Context())
		}
		if got := log.fullRounds(); got != 1 {
			t.Errorf("got %d whole rounds, want only the first", got)
		}
	})
}

// TestReturnedNodeIsWatched: after a failover the balancer's cookie keeps a canary on another node.
// The node that has returned gets new clients, and so another canary, which notices that it fails.
func TestReturnedNodeIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{HAProxy: &demo.HAProxyConfig{Cookie: "SRV", Retries: 3, Redispatch: true}, Shared: true}, "generic")
		d.config.Session.Policy, d.config.Balancer.Method = probes.PolicyReplicated, probes.MethodCookie
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
		node := d.Nodes[1]
		node.Kill()
		w.FollowUp(t.Context())
		must.Succeed(t, node.Start())
		time.Sleep(time.Minute) // until the balancer's health checks have noticed
		for range 3 {
			must.Succeed(t, w.TakeRound(t.Context()))
		}
		log.newChanges()
		w.SetBackoff(0)
		node.Set(demo.NodeFaults{Failing: d.config.Session.Path})
		for range 3 {
			w.FollowUp(t.Context())
		}
		if diff := cmp.Diff([]string{"appeared page_failing node2", "appeared node_failing_in_rotation node2"}, log.newChanges()); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestSuccessorOfLostCanary: after a canary has lost its session with its node, follow-ups find it a
// successor without a full round, so that the next failure of the node is met as well.
func TestSuccessorOfLostCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{Method: probes.MethodCookie, Workers: 1}, "generic")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
		met := func() bool {
			return slices.ContainsFunc(log.last().Canaries, func(c monitor.CanarySession) bool { return c.Node == "node2" })
		}
		d.Nodes[1].Stop()
		for met() {
			w.FollowUp(t.Context())
			time.Sleep(3 * time.Second)
		}
		must.Succeed(t, d.Nodes[1].Start())
		time.Sleep(15 * time.Second) // until the balancer tries it again
		w.SetBackoff(time.Hour)
		rounds, before := log.fullRounds(), len(log.requests)
		for range 10 {
			w.FollowUp(t.Context())
			time.Sleep(3 * time.Second)
		}
		served := make(map[probes.Fingerprint]int)
		for _, q := range log.requests[before:] {
			if q.Node == "node2" && q.Outcome == checks.OutcomeServed {
				served[q.Session]++
			}
		}
		if most := slices.Max(append(slices.Collect(maps.Values(served)), 0)); most < 5 || log.fullRounds() != rounds {
			t.Errorf("got %d requests of one session on node2 and %d full rounds, want several and none", most, log.fullRounds()-rounds)
		}
	})
}

// TestMissingCountRestarts: a full round whose new clients reached the node restarts the count.
func TestMissingCountRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, log := behindRoundRobin(t)
		for range 2 {
			d.Balancer.Set(demo.BalancerFaults{Ejected: []string{d.Nodes[1].Addr()}})
			for range sixFollowUps - 1 {
				w.FollowUp(t.Context())
			}
			d.Balancer.Set(demo.BalancerFaults{})
			must.Succeed(t, w.TakeRound(t.Context()))
		}
		if got := log.fullRounds(); got != 3 {
			t.Errorf("got %d whole rounds, want the first and two that were asked for", got)
		}
	})
}

// TestMissedMeanwhile: a node that is missing during the backoff starts a full round after it.
func TestMissedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, w, log := behindRoundRobin(t)
		w.SetBackoff(time.Hour)
		must.Succeed(t, d.Break("ejected"))
		for range sixFollowUps {
			w.FollowUp(t.Context())
		}
		if got := log.fullRounds(); got != 1 {
			t.Fatalf("got %d whole rounds, want only the first: it was a moment ago", got)
		}
		w.Backdate(time.Hour)
		w.FollowUp(t.Context())
		if diff := cmp.Diff([]string{"appeared node_ejected node2"}, log.newChanges()); diff != "" {
			t.Errorf("an hour later (-want +got):\n%s", diff)
		}
	})
}

// TestPatience: while full rounds change nothing, the backoff grows up to the status interval.
// A change resets it.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = time.Hour
		d := startInMemory(t, demo.Config{}, "generic")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: most})
		followUp := func() (taken int) {
			before := log.fullRounds()
			w.FollowUp(t.Context())
			return log.fullRounds() - before
		}
		followUpAfter := func(age time.Duration) int {
			w.Backdate(age)
			return followUp()
		}
		w.SetBackoff(0)
		d.Balancer.Set(demo.BalancerFaults{Status: http.StatusServiceUnavailable})
		got := []int{followUp(), followUp()}
		for range 15 { // the backoff doubles, starting at one second
			followUpAfter(most)
		}
		got = append(got, followUp(), followUpAfter(most-time.Minute), followUpAfter(time.Minute))
		if diff := cmp.Diff([]int{1, 1, 0, 0, 1}, got); diff != "" {
			t.Errorf("whole rounds at first, at once after, after many, nearly an hour later, an hour later (-want +got):\n%s", diff)
		}
		d.Balancer.Set(demo.BalancerFaults{})
		must.Succeed(t, w.TakeRound(t.Context()))
		d.Balancer.Set(demo.BalancerFaults{Status: http.StatusServiceUnavailable})
		if followUp() != 1 {
			t.Error("the balancer had recovered, and its new failure was not looked at at once")
		}
	})
}

// TestRoutine: a routine full round does not delay one that a sign of trouble starts.
func TestRoutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{}, "generic")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
		for range 15 {
			must.Succeed(t, w.TakeRound(t.Context()))
		}
		log.newChanges()
		d.Nodes[1].Stop()
		w.FollowUp(t.Context())
		if diff := cmp.Diff([]string{"appeared node_down node2"}, log.newChanges()); diff != "" {
			t.Errorf("when node2 was stopped (-want +got):\n%s", diff)
		}
	})
}

// TestCalmAgain: a routine full round without a sign of trouble resets the backoff.
func TestCalmAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startInMemory(t, demo.Config{}, "generic")
		w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: 10 * time.Minute})
		w.SetBackoff(10 * time.Minute)
		w.Backdate(10 * time.Minute)
		w.Refresh(t.Context(), monitor.Status)
		log.newChanges()
		d.Nodes[1].Stop()
		w.FollowUp(t.Context())
		if diff := cmp.Diff([]string{"appeared node_down node2"}, log.newChanges()); diff != "" {
			t.Errorf("when node2 was stopped (-want +got):\n%s", diff)
		}
	})
}

// TestPairs: new clients in a follow-up detect a cache that mixes up sessions, and replace as
// many canaries.
func TestPairs(t *testing.T) {
	for name, c := range map[string]struct {
		config  demo.Config
		profile string // with the policy that the balancer keeps
	}{
		"ip_hash":             {demo.Config{}, "generic"},
		"round robin, shared": {demo.Config{Method: probes.MethodRoundRobin, Shared: true}, "tomcat-msm"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := startInMemory(t, c.config, c.profile)
				w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{NewClients: time.Hour, Status: time.Nanosecond})
				before := log.probes[checks.TargetCanary]
				w.FollowUp(t.Context())
				if got := log.probes[checks.TargetCanary] - before; got != len(d.Nodes) || log.fullRounds() != 1 {
					t.Errorf("got %d requests of clients and %d whole rounds, want one a node, and only the first round", got, log.fullRounds())
				}
				log.newChanges()
				d.Balancer.Change(func(f *demo.BalancerFaults) {
					f.Cache = demo.CacheConfig{TTL: time.Hour, IgnoreCacheControl: true, IgnoreSetCookie: true, OnlyWithoutCookie: true}
				})
				w.FollowUp(t.Context())
				if got := log.newChanges(); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "appeared session_leaked") }) {
					t.Errorf("got %q, want session_leaked", got)
				}
			})
		})
	}
}

// TestForgottenTable: a round robin whose table of clients was forgotten gives canaries other
// nodes, wherever it is in its turn, because they do not come in the order of the nodes.
func TestForgottenTable(t *testing.T) {
	for turn := range 3 {
		synctest.Test(t, func(t *testing.T) {
			d := startInMemory(t, demo.Config{HAProxy: &demo.HAProxyConfig{StickOnSrc: true}}, "generic")
			d.config.Balancer.Method = probes.MethodUnknown
			w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
			log.newChanges()
			w.SetBackoff(0)
			time.Sleep(time.Minute) // the first round has used the budget
			must.Succeed(t, d.Balancer.Reload(d.Balancer.Servers()))
			for i := range turn {
				visitFrom(t, d, netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}))
			}
			w.FollowUp(t.Context())
			if got := log.newChanges(); !slices.Contains(got, "appeared balancer_remapped ") {
				t.Errorf("%d clients came before the canaries: got %q", turn, got)
			}
		})
	}
}

// visitFrom sends a request of another client.
func visitFrom(t *testing.T, d watched, client netip.Addr) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.Balancer.URL(), http.NoBody)
	must.Succeed(t, err)
	req.Header.Set(d.config.Balancer.ClientIPHeader, client.String())
	transport := http.Transport{DialContext: d.config.Dial, DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	must.Succeed(t, err)
	res.Body.Close()
}
