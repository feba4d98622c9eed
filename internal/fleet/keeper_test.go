package fleet

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
)

// A database is the store of a fleet in memory.
type database struct {
	mu        sync.Mutex
	instances map[string]history.Instance
	leases    map[string]history.Lease
	away      bool
	wake      map[string]chan history.Message // by instance
}

func newDatabase() *database {
	return &database{instances: make(map[string]history.Instance), leases: make(map[string]history.Lease), wake: make(map[string]chan history.Message)}
}

// A connection is the database as an instance sees it.
type connection struct {
	*database
	name string
}

var errAway = errors.New("the database is away")

func (c connection) Beat(_ context.Context, self history.Instance) (state history.FleetState, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return state, errAway
	}
	self.Name, self.Expires = c.name, time.Now().Add(history.LeaseTime)
	if old, known := c.instances[c.name]; known {
		self.Started, self.Draining = old.Started, old.Draining
	} else {
		self.Started = time.Now()
	}
	c.instances[c.name] = self
	state.Now = time.Now()
	for _, i := range c.instances {
		state.Instances = append(state.Instances, i)
	}
	for _, l := range c.leases {
		state.Leases = append(state.Leases, l)
	}
	return state, nil
}

func (c connection) Take(_ context.Context, clusters []string) (map[string]int64, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, false, errAway
	}
	epochs := make(map[string]int64)
	for _, cluster := range clusters {
		l := c.leases[cluster]
		if i, known := c.instances[l.Owner]; known && i.Expires.After(time.Now()) {
			return nil, false, nil
		}
		epochs[cluster] = l.Epoch + 1
	}
	for cluster, epoch := range epochs {
		c.leases[cluster] = history.Lease{Cluster: cluster, Owner: c.name, Epoch: epoch}
	}
	return epochs, true, nil
}

func (c connection) free(of func(history.Lease) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return errAway
	}
	for cluster, l := range c.leases {
		if l.Owner == c.name && of(l) {
			l.Owner = ""
			c.leases[cluster] = l
		}
	}
	for _, wake := range c.wake {
		select {
		case wake <- history.Message{Kind: history.LeasesChanged}:
		default:
		}
	}
	return nil
}

func (c connection) Release(_ context.Context, clusters []string) error {
	return c.free(func(l history.Lease) bool {
		return slices.Contains(clusters, l.Cluster)
	})
}

func (c connection) Leave(context.Context) error {
	c.mu.Lock()
	delete(c.instances, c.name)
	c.mu.Unlock()
	return c.free(func(history.Lease) bool { return true })
}

func (c connection) FreeClaims(context.Context) error { return nil }

func (c connection) Listen(ctx context.Context, yield func(history.Message)) error {
	wake := make(chan history.Message, 1)
	c.mu.Lock()
	c.wake[c.name] = wake
	c.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-wake:
			yield(m)
		}
	}
}

// A testInstance is a keeper that runs.
type testInstance struct {
	*Keeper
	stop func() // as kill -9 does
	mu   sync.Mutex
	own  map[string]int64
}

// start runs an instance until the end of the test.
func (d *database) start(t *testing.T, name string, clusters int) *testInstance {
	t.Helper()
	began := time.Now()
	i := &testInstance{}
	i.Keeper = NewKeeper(Config{
		Name: name, Store: connection{d, name}, Self: func() history.Instance { return history.Instance{CanProbe: true} },
		Units: func() []Unit { return units(clusters) },
		Apply: func(_ context.Context, own map[string]int64) error {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.own = own
			return nil
		},
		Receive: func(history.MessageKind) {}, Logger: slog.New(slog.DiscardHandler),
		Elapsed: func() time.Duration { return time.Since(began) + time.Second },
	})
	must.Succeed(t, i.Join(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		i.Run(ctx)
		close(ended)
	}()
	i.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(i.stop)
	return i
}

// watched returns the clusters that an instance watches.
func (i *testInstance) watched() map[string]int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	own := maps.Clone(i.own)
	delete(own, "")
	return own
}

// sharedOut fails unless each cluster has exactly one of the instances.
func sharedOut(t *testing.T, clusters int, instances ...*testInstance) {
	t.Helper()
	owner := make(map[string]string)
	for _, i := range instances {
		if len(i.watched()) == 0 {
			t.Errorf("%s has no cluster", i.config.Name)
		}
		for cluster := range i.watched() {
			if other := owner[cluster]; other != "" {
				t.Errorf("%s and %s watch %s", other, i.config.Name, cluster)
			}
			owner[cluster] = i.config.Name
		}
	}
	if len(owner) != clusters {
		t.Errorf("%d of %d clusters are watched", len(owner), clusters)
	}
}

// TestTakeover: clusters are shared out, and those of an instance that dies have another one within
// 10 seconds, those of one that stops at once.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clusters = 30
		db := newDatabase()
		a, b, c := db.start(t, "a", clusters), db.start(t, "b", clusters), db.start(t, "c", clusters)
		time.Sleep(2 * time.Minute)
		sharedOut(t, clusters, a, b, c)
		a.stop()
		time.Sleep(10 * time.Second)
		sharedOut(t, clusters, b, c)
		b.stop()
		must.Succeed(t, b.Leave(t.Context()))
		time.Sleep(time.Second)
		sharedOut(t, clusters, c)
	})
}

// TestDrained: a drained instance gives its clusters away, and takes them again.
func TestDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clusters = 30
		db := newDatabase()
		a, b := db.start(t, "a", clusters), db.start(t, "b", clusters)
		time.Sleep(2 * time.Minute)
		drain := func(is bool) {
			db.mu.Lock()
			defer db.mu.Unlock()
			i := db.instances["a"]
			i.Draining = is
			db.instances["a"] = i
		}
		drain(true)
		time.Sleep(10 * time.Second)
		sharedOut(t, clusters, b)
		if n := len(a.watched()); n > 0 {
			t.Errorf("the drained instance still has %d clusters", n)
		}
		drain(false)
		time.Sleep(2 * time.Minute)
		sharedOut(t, clusters, a, b)
	})
}

// TestDatabaseAway: while the database is away, each instance keeps its clusters, and notifies by
// itself after half a minute; not before, and not after a pause.
func TestDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clusters = 30
		db := newDatabase()
		a, b := db.start(t, "a", clusters), db.start(t, "b", clusters)
		time.Sleep(2 * time.Minute)
		set := func(away bool) {
			db.mu.Lock()
			defer db.mu.Unlock()
			db.away = away
		}
		shared, alone := alerting.Notification{ID: "n"}, alerting.Notification{ID: "n", Alone: "a"}
		if a.MaySend(shared) != nil || a.MaySend(alone) == nil {
			t.Error("want that only notifications of the database are sent")
		}
		before := a.watched()
		set(true)
		time.Sleep(history.LeaseTime + time.Second)
		if a.MaySend(shared) == nil || a.MaySend(alone) == nil {
			t.Error("a notification was allowed when others may have taken over")
		}
		time.Sleep(aloneAfter)
		if a.MaySend(shared) == nil || a.MaySend(alone) != nil {
			t.Error("want that the instance notifies by itself")
		}
		if !maps.Equal(before, a.watched()) {
			t.Errorf("got %v, want that %v stay", a.watched(), before)
		}
		set(false)
		time.Sleep(5 * time.Second)
		if got := a.watched(); !maps.Equal(before, got) || a.Status().Takeovers+b.Status().Takeovers > 0 {
			t.Errorf("got %v after the database was back, want that %v stay", got, before)
		}
		if a.MaySend(shared) != nil || a.MaySend(alone) == nil {
			t.Error("want that only notifications of the database are sent again")
		}
		sharedOut(t, clusters, a, b)
	})
}

// TestJoin: an instance waits for a database that does not answer in time, and not for ever.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for length, want := range map[time.Duration]error{5 * time.Second: nil, time.Hour: errAway} {
			db := newDatabase()
			db.away = true
			k := NewKeeper(Config{Name: "a", Store: connection{db, "a"}, Self: func() history.Instance { return history.Instance{} }})
			back := time.AfterFunc(length, func() {
				db.mu.Lock()
				defer db.mu.Unlock()
				db.away = false
			})
			if err := k.Join(t.Context()); !errors.Is(err, want) {
				t.Errorf("got error %v after the database was away for %s, want %v", err, length, want)
			}
			back.Stop()
		}
	})
}

// TestPaused: a process that was paused may not send until it has reached the database again, and
// never by itself.
func TestPaused(t *testing.T) {
	var elapsed time.Duration
	db := newDatabase()
	k := NewKeeper(Config{Name: "a", Store: connection{db, "a"}, Self: func() history.Instance { return history.Instance{} }, Elapsed: func() time.Duration { return elapsed }})
	elapsed = time.Second
	if err := k.heartbeat(t.Context()); err != nil || k.MaySend(alerting.Notification{}) != nil {
		t.Fatalf("got error %v of a heartbeat", err)
	}
	elapsed += time.Minute
	if k.MaySend(alerting.Notification{}) == nil {
		t.Error("a process that was paused may send")
	}
	db.away = true
	elapsed += time.Second
	_ = k.heartbeat(t.Context())
	elapsed += time.Hour
	if _, ok := k.Alone(); ok {
		t.Error("a process that was paused while the database was away notifies by itself")
	}
	_ = k.heartbeat(t.Context())
	if _, ok := k.Alone(); ok {
		t.Error("the time of the pause counts as that of the database")
	}
}

// TestFailedHeartbeats: an outage and a name that is taken are logged as what they are, and not at
// each heartbeat.
func TestFailedHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		k := NewKeeper(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 70 {
			k.logFailed(&history.NameTakenError{Name: "a"})
			time.Sleep(time.Second)
		}
		k.logFailed(errAway)
		if got := log.String(); strings.Count(got, "has the name of this instance") != 2 || strings.Count(got, "does not answer") != 1 {
			t.Errorf("got\n%s\nwant the taken name twice and the outage once", got)
		}
	})
}

// TestReleaseKeepsSnapshot: a release does not write into leases that others read without the lock.
func TestReleaseKeepsSnapshot(t *testing.T) {
	store := newDatabase()
	k := NewKeeper(Config{Name: "a", Store: connection{store, "a"}, Logger: slog.New(slog.DiscardHandler)})
	k.state.Leases = []history.Lease{{Cluster: "shop", Owner: "a", Epoch: 1}}
	k.leaving["shop"] = true
	read := k.state.Leases
	k.release(t.Context(), nil)
	if read[0].Owner != "a" || k.state.Leases[0].Owner != "" {
		t.Errorf("got owner %q in what was read, and %q now, want a and none", read[0].Owner, k.state.Leases[0].Owner)
	}
}
