package probes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// A testServer is nodes behind a limiter. Its fields determine how they answer. It
// counts requests.
type testServer struct {
	client  *Client
	limiter *Limiter
	timeout time.Duration
	work    func() time.Duration            // of one answer
	serial  chan struct{}                   // a node answers one request at a time; nil: concurrently
	locks   map[*sessionScope]chan struct{} // a session is used by one request at a time; nil: concurrently

	mu       sync.Mutex
	arrived  map[string][]time.Duration // since the start, by node
	inFlight map[any]int                // by node and by session
	most     map[any]int
	timeouts int
	began    time.Time
}

func newAnswerer(b Budget, nodes int, work time.Duration) *testServer {
	var list []Node
	for i := range nodes {
		list = append(list, Node{ID: fmt.Sprintf("node%d", i+1)})
	}
	l := NewLimiter(b, list)
	for _, n := range list {
		l.learnLabel(n.ID, n.ID)
	}
	return &testServer{
		client: &Client{target: Target{Limiter: l}}, limiter: l, timeout: 5 * time.Second, work: func() time.Duration { return work },
		arrived: make(map[string][]time.Duration), inFlight: make(map[any]int), most: make(map[any]int), began: time.Now(),
	}
}

// ask sends one request, which node answers, and reports whether it was answered in
// time.
func (t *testServer) ask(ctx context.Context, a admissionRequest, node string) (answered bool) {
	a.kind = "page"
	p, err := t.limiter.admit(ctx, a)
	if err != nil {
		return false
	}
	_ = t.client.run(ctx, p, func() response {
		answered = t.serve(a, node)
		return response{label: node, answered: answered, timedOut: !answered}
	})
	return answered
}

// serve handles the request at the node.
func (t *testServer) serve(a admissionRequest, node string) (answered bool) {
	t.count(node, 1)
	defer t.count(node, -1)
	if a.session != nil {
		t.count(a.session, 1)
		defer t.count(a.session, -1)
	}
	deadline := time.After(t.timeout)
	for _, queue := range []chan struct{}{t.serial, t.locks[a.session]} {
		if queue == nil {
			continue
		}
		select {
		case queue <- struct{}{}:
			defer func() { <-queue }()
		case <-deadline:
			return false
		}
	}
	select {
	case <-time.After(t.work()):
		return true
	case <-deadline:
		t.mu.Lock()
		defer t.mu.Unlock()
		t.timeouts++
		return false
	}
}

func (t *testServer) count(of any, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if node, ok := of.(string); ok && n > 0 {
		t.arrived[node] = append(t.arrived[node], time.Since(t.began))
	}
	t.inFlight[of] += n
	t.most[of] = max(t.most[of], t.inFlight[of])
}

// busiest returns the greatest number of requests that arrived at a node within a
// window.
func (t *testServer) busiest(node string, window time.Duration) int {
	most := 0
	for i, from := range t.arrived[node] {
		n := slices.IndexFunc(t.arrived[node][i:], func(at time.Duration) bool { return at >= from+window })
		if n < 0 {
			n = len(t.arrived[node]) - i
		}
		most = max(most, n)
	}
	return most
}

// bubble runs a test in virtual time, and returns the virtual time that it took.
func bubble(t *testing.T, run func(*testing.T)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		run(t)
		took = time.Since(began)
		synctest.Wait()
	})
	return took
}

func TestLimiterRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, time.Millisecond)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1"}, "node1") })
		}
		wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node2"}, "node2") })
		wg.Wait()
		last := a.arrived["node1"][99]
		if last < 4500*time.Millisecond || last > 4600*time.Millisecond {
			t.Errorf("the last of 100 requests arrived after %s, want the 10 of a burst and 90 at 20 a second", last)
		}
		if got, most := a.busiest("node1", time.Second), 20+DefaultBudget.Burst(); got > most {
			t.Errorf("got %d requests within a second, want at most %d", got, most)
		}
		if got := a.arrived["node2"][0]; got > 0 {
			t.Errorf("another node's request waited %s", got)
		}
	})
}

// TestLimiterAnyNode: a request that may arrive at any node counts at every node until
// its answer names its node. If a balancer sends all requests to one node, that node
// gets no more than its budget.
func TestLimiterAnyNode(t *testing.T) {
	for _, tt := range []struct {
		name string
		to   func(i int) string
		took time.Duration
	}{
		{"all to one", func(int) string { return "node1" }, 4 * time.Second},
		{"in turns", func(i int) string { return fmt.Sprintf("node%d", i%3+1) }, time.Second},
		{"node unknown", func(int) string { return "" }, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *testServer
			took := bubble(t, func(t *testing.T) {
				a = newAnswerer(DefaultBudget, 3, time.Millisecond)
				for i := range 90 {
					a.ask(t.Context(), admissionRequest{}, tt.to(i))
				}
			})
			if took < tt.took-50*time.Millisecond || took > tt.took+200*time.Millisecond {
				t.Errorf("90 requests took %s, want about %s", took, tt.took)
			}
			for node := range a.arrived {
				if got, most := a.busiest(node, time.Second), 20+DefaultBudget.Burst(); got > most {
					t.Errorf("got %d requests within a second at %q, want at most %d", got, node, most)
				}
			}
		})
	}
}

// TestLimiterMissed: requests that are expected at one node and answered by another
// stay within the budget of the other.
func TestLimiterMissed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, time.Millisecond)
		var wg sync.WaitGroup
		for _, expected := range []string{"node1", "node2"} {
			wg.Go(func() {
				for range 100 {
					a.ask(t.Context(), admissionRequest{node: expected}, "node1")
				}
			})
		}
		wg.Wait()
		if got, most := a.busiest("node1", time.Second), 20+DefaultBudget.Burst(); got > most {
			t.Errorf("got %d requests within a second, want at most %d", got, most)
		}
		direct := time.Now()
		if a.ask(t.Context(), admissionRequest{node: "node2", direct: true}, "node2"); time.Since(direct) > 2*time.Millisecond {
			t.Errorf("a direct request to the other node waited %s", time.Since(direct))
		}
	})
}

func TestLimiterConcurrency(t *testing.T) {
	for _, tt := range []struct {
		name   string
		serial bool
		work   time.Duration
		most   int
		within time.Duration // for 40 concurrent requests
	}{
		{"a node that answers side by side gets the whole budget", false, 400 * time.Millisecond, 4, 6 * time.Second},
		{"a quick one is done at the full rate", false, time.Millisecond, 4, 1600 * time.Millisecond},
		// Two concurrent requests show that it queues. From then on it gets a pause as
		// long as its answer took.
		{"a node that answers one at a time gets one at a time", true, 30 * time.Millisecond, 2, 2500 * time.Millisecond},
		{"a quick one, too", true, 10 * time.Millisecond, 2, 2500 * time.Millisecond},
		{"a slow one, too", true, 300 * time.Millisecond, 2, 25 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *testServer
			took := bubble(t, func(t *testing.T) {
				a = newAnswerer(DefaultBudget, 1, tt.work)
				if tt.serial {
					a.serial = make(chan struct{}, 1)
				}
				var wg sync.WaitGroup
				for range 40 {
					wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1"}, "node1") })
				}
				wg.Wait()
			})
			if got := a.most["node1"]; got != tt.most && (got > tt.most || tt.work != time.Millisecond) {
				t.Errorf("got %d in flight, want %d", got, tt.most)
			}
			if took > tt.within {
				t.Errorf("took %s, want at most %s", took, tt.within)
			}
		})
	}
}

// TestLimiterHangingNode: requests to a silent node do not time out one after the
// other, and none is sent again.
func TestLimiterHangingNode(t *testing.T) {
	var a *testServer
	took := bubble(t, func(t *testing.T) {
		a = newAnswerer(DefaultBudget, 2, 0)
		a.work = func() time.Duration { return time.Minute }
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1", direct: true}, "node1") })
		}
		wg.Wait()
	})
	if want := 6 * time.Second; took != want {
		t.Errorf("four requests took %s, want %s: the others go after a second", took, want)
	}
	if got := len(a.arrived["node1"]); got != 4 {
		t.Errorf("got %d requests, want 4", got)
	}
}

// TestLimiterHangingNodeElsewhere: a silent node does not delay requests that may
// arrive elsewhere.
func TestLimiterHangingNodeElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, 0)
		a.work = func() time.Duration { // node1 hangs, and only the first requests go to it
			if time.Since(a.began) < 4*time.Second {
				return time.Minute
			}
			return time.Millisecond
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1", direct: true}, "node1") })
		}
		time.Sleep(4500 * time.Millisecond)
		began := time.Now()
		if a.ask(t.Context(), admissionRequest{}, "node2"); time.Since(began) > 2*time.Millisecond {
			t.Errorf("a request through the balancer waited %s", time.Since(began))
		}
		wg.Wait()
	})
}

// TestLimiterPausingNode: a request that waits for the pause of one node delays none for the others.
func TestLimiterPausingNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, time.Millisecond)
		a.limiter.node("node2").notBefore = time.Now().Add(3 * time.Second)
		var wg sync.WaitGroup
		for _, node := range []string{"", "node2"} {
			wg.Go(func() {
				if a.ask(t.Context(), admissionRequest{node: node}, "node2"); time.Since(a.began) < 3*time.Second {
					t.Errorf("a request that may arrive at node2 was answered after %s, want it to wait for the pause", time.Since(a.began))
				}
			})
		}
		synctest.Wait()
		if a.ask(t.Context(), admissionRequest{node: "node1"}, "node1"); time.Since(a.began) > 2*time.Millisecond {
			t.Errorf("a request to node1 waited %s", time.Since(a.began))
		}
		wg.Wait()
	})
}

// TestLimiterAloneBesideSlowNode: a request that waits to be alone, while a slow node answers another one, delays
// none for the other nodes for longer than a second.
func TestLimiterAloneBesideSlowNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, 4*time.Second)
		ask := func(r admissionRequest, node string) (took time.Duration) {
			began := time.Now()
			a.ask(t.Context(), r, node)
			return time.Since(began)
		}
		var wg sync.WaitGroup
		wg.Go(func() { ask(admissionRequest{node: "node2", direct: true}, "node2") })
		synctest.Wait()
		a.work = func() time.Duration { return time.Millisecond }
		wg.Go(func() {
			if took := ask(admissionRequest{alone: true}, "node1"); took < 4*time.Second {
				t.Errorf("a request that must be alone took %s, want it to wait for the answer of node2", took)
			}
		})
		synctest.Wait()
		if took := ask(admissionRequest{node: "node1"}, "node1"); took > time.Second+2*time.Millisecond {
			t.Errorf("a request to node1 took %s", took)
		}
		wg.Wait()
	})
}

// TestLimiterRepeats: a request to a node itself that timed out behind others, and is sent again alone, is a repeat
// until it ends.
func TestLimiterRepeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, 4*time.Second)
		check := func(want bool) {
			t.Helper()
			if synctest.Wait(); a.limiter.Repeats("node1") != want || a.limiter.Repeats("node2") {
				t.Errorf("got %t after %s, want %t, and none at node2", !want, time.Since(a.began), want)
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1", direct: true}, "node1") })
		check(false)
		wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1", direct: true, alone: true}, "node1") })
		check(true)
		time.Sleep(5 * time.Second) // it was sent after the answer to the first one
		check(true)
		wg.Wait()
		check(false)
	})
}

// TestLimiterSlowNodeUnnamed: a slow answer whose node is unknown is evidence about the nodes that are slow.
func TestLimiterSlowNodeUnnamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 2, 0)
		usual := map[string]time.Duration{"node1": time.Millisecond, "node2": 3 * time.Second}
		for _, node := range []string{"node1", "node2"} {
			a.work = func() time.Duration { return usual[node] }
			a.ask(t.Context(), admissionRequest{node: node, direct: true}, node)
		}
		a.ask(t.Context(), admissionRequest{}, "") // as slow as node2
		for node, want := range usual {
			if got := a.limiter.node(node).limit.alone["page"]; got != want {
				t.Errorf("got a usual time of %s at %s, want %s", got, node, want)
			}
		}
	})
}

// TestLimiterSessionLock: ten follow-ups of each session run one by one if the
// application locks sessions, and sessions run concurrently.
func TestLimiterSessionLock(t *testing.T) {
	for _, tt := range []struct {
		name        string
		locks       bool
		least, most int // requests of one session in flight
		within      time.Duration
	}{
		{"locked", true, 2, 2, 9 * time.Second},
		{"not locked", false, 3, 4, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var a *testServer
			sessions := make([]sessionScope, 3)
			took := bubble(t, func(t *testing.T) {
				a = newAnswerer(DefaultBudget, 3, 700*time.Millisecond)
				if tt.locks {
					a.locks = make(map[*sessionScope]chan struct{})
				}
				var wg sync.WaitGroup
				for i := range sessions {
					node := fmt.Sprintf("node%d", i+1)
					if tt.locks {
						a.locks[&sessions[i]] = make(chan struct{}, 1)
					}
					for range 10 {
						wg.Go(func() { a.ask(t.Context(), admissionRequest{node: node, session: &sessions[i]}, node) })
					}
				}
				wg.Wait()
			})
			most := 0
			for i := range sessions {
				most = max(most, a.most[&sessions[i]])
			}
			if most < tt.least || most > tt.most || took > tt.within || a.timeouts > 0 {
				t.Errorf("got %d requests of a session in flight, %s, %d time-outs; want %d to %d, at most %s, none",
					most, took, a.timeouts, tt.least, tt.most, tt.within)
			}
			for _, n := range a.limiter.nodes {
				if n.limit.queues {
					t.Errorf("%s is taken for one that queues", n.id)
				}
			}
		})
	}
}

// TestLimiterOwnTimeOut: a request that had to wait for another one of stickwatch, at a
// node that answers one at a time, is sent again alone. No other is.
func TestLimiterOwnTimeOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 1, 3*time.Second)
		a.serial = make(chan struct{}, 1)
		a.limiter.nodes[0].limit.current = 2 // as learnt from other, fast pages
		var wg sync.WaitGroup
		answered := make([]bool, 2)
		for i := range answered {
			wg.Go(func() { answered[i] = a.ask(t.Context(), admissionRequest{node: "node1"}, "node1") })
		}
		wg.Wait()
		expect.Equal(t, "answered", []bool{true, true}, answered)
		if got := len(a.arrived["node1"]); got != 3 {
			t.Errorf("got %d requests, want 3: one was tried again", got)
		}
	})
}

// askLimited sends one request, and returns how often it was sent and the last status. limit
// returns for how long a 429 asks; 0: it is none.
func (t *testServer) askLimited(ctx context.Context, a admissionRequest, node string, limit func() time.Duration) (sent, status int) {
	a.node, a.kind = node, "page"
	p, err := t.limiter.admit(ctx, a)
	if err != nil {
		return 0, 0
	}
	_ = t.client.run(ctx, p, func() response {
		t.serve(a, node)
		sent++
		r := response{label: node, answered: true, limited: limit()}
		if status = http.StatusOK; r.limited > 0 {
			status = http.StatusTooManyRequests
		}
		return r
	})
	return sent, status
}

// round sends 45 requests to three nodes, a third of them directly.
func (t *testServer) round(ctx context.Context, limit func() time.Duration, done func(sent, status int)) {
	var wg sync.WaitGroup
	for i := range 45 {
		wg.Go(func() {
			done(t.askLimited(ctx, admissionRequest{direct: i%9 < 3}, fmt.Sprintf("node%d", i%3+1), limit))
		})
	}
	wg.Wait()
}

// TestLimiterTooManyRequests: behind a limit of five requests a second, every request is
// served in the end.
func TestLimiterTooManyRequests(t *testing.T) {
	took := bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		var mu sync.Mutex
		tokens, filled, refused := 5, time.Now(), 0
		bucket := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			n := int(time.Since(filled) / (200 * time.Millisecond))
			tokens, filled = min(5, tokens+n), filled.Add(time.Duration(n)*200*time.Millisecond)
			if tokens == 0 {
				refused++
				return time.Second
			}
			tokens--
			return 0
		}
		a.round(t.Context(), bucket, func(_, status int) {
			if status != http.StatusOK {
				t.Errorf("got %d, want 200", status)
			}
		})
		if refused == 0 {
			t.Error("the limit was never met")
		}
	})
	if most := 45 * time.Second; took > most {
		t.Errorf("took %s, want at most %s", took, most)
	}
}

// TestLimiterLongWindow: behind a limit of 20 requests in ten seconds, which counts those that it refuses,
// every request is served in the end, also in later rounds.
func TestLimiterLongWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		var mu sync.Mutex
		var met []time.Time
		refused := 0
		window := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			met = slices.DeleteFunc(append(met, time.Now()), func(at time.Time) bool { return time.Since(at) >= 10*time.Second })
			if len(met) > 20 {
				refused++
				return time.Second
			}
			return 0
		}
		for i := range 4 {
			began, before := time.Now(), refused
			var wg sync.WaitGroup
			for range 30 {
				wg.Go(func() {
					if _, status := a.askLimited(t.Context(), admissionRequest{}, "", window); status != http.StatusOK {
						t.Errorf("round %d: got %d, want 200", i, status)
					}
				})
			}
			wg.Wait()
			if got, most := time.Since(began), 50*time.Second; got > most {
				t.Errorf("round %d took %s, want at most %s", i, got, most)
			}
			if i > 0 && refused > before {
				t.Errorf("round %d: %d were refused, want none, as the limit is known", i, refused-before)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestLimiterRefusesAll: a cluster that answers every request with 429 delays a round by one
// pause, and by the second for which a request keeps apart from others to prove it.
func TestLimiterRefusesAll(t *testing.T) {
	for _, wait := range []time.Duration{time.Second, 10 * time.Second} {
		bubble(t, func(t *testing.T) {
			a := newAnswerer(DefaultBudget, 3, time.Millisecond)
			refuse := func() time.Duration { return wait }
			for i := range 20 {
				began := time.Now()
				a.round(t.Context(), refuse, func(sent, status int) {
					if i == 1 && sent != 1 {
						t.Errorf("after a round in which all were refused, one is sent %d times", sent)
					}
					if status != http.StatusTooManyRequests {
						t.Errorf("got %d, want 429", status)
					}
				})
				if got, most := time.Since(began), 15*time.Second; got > most {
					t.Errorf("Retry-After of %s: round %d took %s, want at most %s", wait, i, got, most)
				}
				time.Sleep(15 * time.Second)
			}
		})
	}
}

// TestLimiterPauses: a cluster that refuses all but single requests, and asks for long pauses
// each time, gets one pause in a minute.
func TestLimiterPauses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		var mu sync.Mutex
		var last time.Time
		single := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			since := time.Since(last)
			if last = time.Now(); since < time.Second {
				return 10 * time.Second
			}
			return 0
		}
		a.askLimited(t.Context(), admissionRequest{}, "node1", single)
		a.round(t.Context(), single, func(_, status int) {
			if status != http.StatusOK {
				t.Errorf("got %d, want 200", status)
			}
		})
		if got, most := time.Since(a.began), 10*time.Second+45*1100*time.Millisecond; got > most {
			t.Errorf("took %s, want at most %s", got, most)
		}
	})
}

// TestLimiterRefusedAlone: a 429 to a request that no other one preceded within a second is
// the cluster's own, and delays nothing.
func TestLimiterRefusedAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		sent, status := a.askLimited(t.Context(), admissionRequest{}, "node1", func() time.Duration { return 10 * time.Second })
		if sent != 1 || status != http.StatusTooManyRequests {
			t.Errorf("got %d after %d requests, want 429 after one", status, sent)
		}
		a.ask(t.Context(), admissionRequest{node: "node1"}, "node1")
		if got := time.Since(a.began); got > 10*time.Millisecond {
			t.Errorf("the next request took until %s", got)
		}
	})
}

// TestLimiterRefusedWhileFew: a refusal after few requests is an outage, such as a balancer that has no node
// left, and is seen at once.
func TestLimiterRefusedWhileFew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		wait := time.Duration(0)
		refuse := func() time.Duration { return wait }
		for range 20 {
			a.askLimited(t.Context(), admissionRequest{}, "node1", refuse)
			time.Sleep(1100 * time.Millisecond)
		}
		wait = time.Second
		began := time.Now()
		sent, status := a.askLimited(t.Context(), admissionRequest{}, "node1", refuse)
		if got := time.Since(began); sent != 1 || status != http.StatusTooManyRequests || got > 10*time.Millisecond {
			t.Errorf("got %d after %d requests and %s, want 429 after one at once", status, sent, got)
		}
	})
}

// TestLimiterRefusedDirectly: a 429 to a direct request makes requests to its node wait. The
// others go on, but for the second for which its repeat keeps apart.
func TestLimiterRefusedDirectly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 3, time.Millisecond)
		a.ask(t.Context(), admissionRequest{node: "node3"}, "node3")
		var wg sync.WaitGroup
		wg.Go(func() {
			refused := false
			sent, status := a.askLimited(t.Context(), admissionRequest{direct: true}, "node1", func() time.Duration {
				if refused = !refused; refused {
					return 10 * time.Second
				}
				return 0
			})
			if got := time.Since(a.began); sent != 2 || status != http.StatusOK || got < 10*time.Second || got > 12*time.Second {
				t.Errorf("node1: got %d after %d requests and %s, want 200 after two and ten seconds", status, sent, got)
			}
		})
		for range 60 { // beside busy others
			for _, node := range []string{"node2", "node3"} {
				began := time.Now()
				if a.ask(t.Context(), admissionRequest{node: node}, node); time.Since(began) > 1010*time.Millisecond {
					t.Errorf("%s: a request took %s", node, time.Since(began))
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
		wg.Wait()
	})
}

// TestLimiterRepeatIsServed: a request that was refused is repeated within seconds, although
// clients of another node never stop.
func TestLimiterRepeatIsServed(t *testing.T) {
	for _, direct := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			a := newAnswerer(DefaultBudget, 2, 300*time.Millisecond)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for ctx.Err() == nil {
						a.ask(ctx, admissionRequest{node: "node1", direct: true}, "node1")
					}
				})
			}
			time.Sleep(5 * time.Second)
			began, refused := time.Now(), false
			limited, stop := context.WithTimeout(t.Context(), 10*time.Minute)
			defer stop()
			_, status := a.askLimited(limited, admissionRequest{direct: direct}, "node2", func() time.Duration {
				if refused = !refused; refused {
					return time.Second
				}
				return 0
			})
			if got := time.Since(began); status != http.StatusOK || got > 5*time.Second {
				t.Errorf("direct %t: got %d after %s, want 200 within five seconds", direct, status, got)
			}
			cancel()
			wg.Wait()
		})
	}
}

// TestLimiterForeignTimeOut: timeouts between fast answers are the node's own.
func TestLimiterForeignTimeOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(DefaultBudget, 1, 0)
		asked := 0
		a.work = func() time.Duration {
			a.mu.Lock()
			defer a.mu.Unlock()
			if asked++; asked%3 == 0 {
				return time.Minute
			}
			return time.Millisecond
		}
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() { a.ask(t.Context(), admissionRequest{node: "node1"}, "node1") })
		}
		wg.Wait()
		if got := len(a.arrived["node1"]); got != 30 || a.timeouts != 10 {
			t.Errorf("got %d requests and %d time-outs, want 30 and 10: none is tried again", got, a.timeouts)
		}
	})
}

// TestLimiterCancelled: a cancelled permit leaves nothing behind.
func TestLimiterCancelled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newAnswerer(Budget{RequestsPerSecond: 1, Concurrent: 1}, 1, time.Millisecond)
		a.ask(t.Context(), admissionRequest{}, "node1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := a.limiter.admit(ctx, admissionRequest{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		if n := a.limiter.nodes[0]; len(a.limiter.waiting) > 0 || len(n.inFlight) > 0 {
			t.Errorf("got %d waiting and %d in flight, want none", len(a.limiter.waiting), len(n.inFlight))
		}
		if !a.ask(t.Context(), admissionRequest{}, "node1") {
			t.Error("the next request was not admitted")
		}
	})
}

// TestLimiterProperty: for all requests, no node gets more than the budget, and all are
// admitted.
func TestLimiterProperty(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			budget := Budget{RequestsPerSecond: 1 + random.IntN(40), Concurrent: 1 + random.IntN(6)}
			var a *testServer
			bubble(t, func(t *testing.T) {
				a = newAnswerer(budget, 3, time.Duration(random.IntN(400))*time.Millisecond)
				if random.IntN(2) == 0 {
					a.serial = make(chan struct{}, 1)
				}
				sessions := make([]sessionScope, 4)
				var wg sync.WaitGroup
				for range 120 {
					request, node := admissionRequest{}, fmt.Sprintf("node%d", 1+random.IntN(3))
					if random.IntN(3) > 0 {
						request.node = node
					}
					if random.IntN(2) == 0 {
						request.session = &sessions[random.IntN(len(sessions))]
					}
					wg.Go(func() {
						if !a.ask(t.Context(), request, node) {
							t.Error("a request was not answered")
						}
					})
					time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				}
				wg.Wait()
			})
			for node := range a.arrived {
				if got, most := a.busiest(node, 2*time.Second), 2*budget.RequestsPerSecond+budget.Burst(); got > most {
					t.Errorf("got %d requests within two seconds, want at most %d", got, most)
				}
				if a.most[node] > budget.Concurrent {
					t.Errorf("got %d in flight, want at most %d", a.most[node], budget.Concurrent)
				}
			}
		})
	}
}

// TestHanging: a request hangs if it takes longer than a lost packet explains, and
// three times as long as its kind usually takes.
func TestHanging(t *testing.T) {
	for name, test := range map[string]struct{ usual, after time.Duration }{
		"quick":           {10 * time.Millisecond, 1500 * time.Millisecond},
		"slow by its own": {time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAnswerer(DefaultBudget, 1, test.usual)
				a.ask(t.Context(), admissionRequest{}, "node1")
				p, err := a.limiter.admit(t.Context(), admissionRequest{kind: "page"})
				must.Succeed(t, err)
				time.Sleep(test.after - time.Millisecond)
				if a.limiter.Hanging() {
					t.Errorf("%v after it was sent, a request hangs already", test.after-time.Millisecond)
				}
				time.Sleep(time.Millisecond)
				if !a.limiter.Hanging() {
					t.Errorf("%v after it was sent, a request does not hang yet", test.after)
				}
				p.finishWith(response{answered: true})
				if a.limiter.Hanging() {
					t.Error("a request that was answered hangs")
				}
			})
		})
	}
	if (*Limiter)(nil).Hanging() {
		t.Error("without a limiter nothing is known to hang")
	}
}
