package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// A testInstance is an instance of a fleet.
type testInstance struct {
	*DB
	*Fleet
}

// joined returns an instance of the fleet of a history.
func joined(t *testing.T, path, name string) *testInstance {
	t.Helper()
	db := opened(t, func(c *Config) { c.Path, c.Instance = path, name })
	fleet, err := db.NewFleet()
	must.Succeed(t, err)
	t.Cleanup(func() { fleet.Close() })
	i := &testInstance{db, fleet}
	i.beat(t)
	return i
}

func (i *testInstance) beat(t *testing.T) FleetState {
	t.Helper()
	state, err := i.Beat(t.Context(), Instance{Site: "here", Digest: "d", CanProbe: true})
	must.Succeed(t, err)
	return state
}

// takes takes clusters over and reports whether it could.
func (i *testInstance) takes(t *testing.T, clusters ...string) bool {
	t.Helper()
	taken, ok, err := i.Take(t.Context(), clusters)
	must.Succeed(t, err)
	own := make(map[string]int64)
	for _, l := range i.beat(t).Leases {
		if l.Owner == i.name {
			own[l.Cluster] = l.Epoch
		}
	}
	if ok && own[clusters[0]] != taken[clusters[0]] {
		t.Errorf("got epochs %v, then %v", taken, own)
	}
	i.SetLeases(own)
	return ok
}

// silent lets the presence of an instance expire.
func silent(t *testing.T, i *testInstance) {
	t.Helper()
	if _, err := i.exec(t.Context(), `UPDATE instances SET expires = 0 WHERE name = ?`, i.name); err != nil {
		t.Fatal(err)
	}
}

// writeSetOf returns a write set about an incident of a cluster, as decided with the leases of an instance.
func (i *testInstance) writeSetOf(cluster, id string) WriteSet {
	one := incident(id)
	one.Cluster, one.Clusters = cluster, []string{cluster}
	n := notification(id+"1", "ops", id)
	n.Incident = one
	return WriteSet{
		Decision: alerting.Decision{Incidents: []alerting.Incident{one}, Notifications: []alerting.Notification{n}},
		Fence:    i.leases.fenceOf(cluster),
	}
}

func samplesOf(cluster string, n int) []checks.Sample {
	return every(checks.Target{Cluster: cluster, Kind: checks.TargetNode, Name: "a"}, time.Now(), time.Second, n)
}

// TestFenced: after a takeover, nothing that the former owner writes for the cluster is accepted, and
// what it writes for its other clusters is.
func TestFenced(t *testing.T) {
	path := startPostgres(t).schema(t)
	former, next := joined(t, path, "a"), joined(t, path, "b")
	if !former.takes(t, "shop") || !former.takes(t, "wiki") {
		t.Fatal("free clusters could not be taken")
	}
	if next.takes(t, "shop") {
		t.Fatal("the cluster of a live instance was taken")
	}
	must.Succeed(t, former.Commit(t.Context(), former.writeSetOf("shop", "one")))
	silent(t, former)
	if !next.takes(t, "shop") {
		t.Fatal("the cluster of a dead instance was not taken")
	}
	err := former.Commit(t.Context(), former.writeSetOf("shop", "two"))
	if lost, fenced := isFenced(err); !fenced || !slices.Equal(lost, []string{"shop"}) {
		t.Errorf("got error %v of a write set of the former owner", err)
	}
	if err := former.Commit(t.Context(), former.writeSetOf("wiki", "three")); err != nil {
		t.Errorf("a write set about another cluster: %v", err)
	}
	former.Record(Batch{Samples: append(samplesOf("shop", 10), samplesOf("wiki", 10)...)})
	must.Succeed(t, former.flush(t.Context()))
	if got := rowsOf(t, former.DB)[samples]; got != 10 {
		t.Errorf("got %d samples of the former owner, want those of its other cluster", got)
	}
	if err := former.PutSnapshots(t.Context(), map[string][]byte{"shop": []byte("{}")}); err == nil {
		t.Error("the former owner stored a state")
	}
	if err := next.Commit(t.Context(), next.writeSetOf("shop", "four")); err != nil {
		t.Errorf("a write set of the next owner: %v", err)
	}
	state, err := next.Restore(t.Context())
	must.Succeed(t, err)
	var ids []string
	for _, i := range state.Incidents {
		ids = append(ids, i.ID)
	}
	slices.Sort(ids)
	if want := []string{"four", "one", "three"}; !slices.Equal(ids, want) {
		t.Errorf("got incidents %v, want %v", ids, want)
	}
}

// TestStoredForOthers: other instances read each state once, and of the canaries those that are not too
// large. Only the owner of a cluster stores and deletes them.
func TestStoredForOthers(t *testing.T) {
	path := startPostgres(t).schema(t)
	a, b := joined(t, path, "a"), joined(t, path, "b")
	a.takes(t, "shop", "blog", "wiki")
	must.Succeed(t, a.PutSnapshots(t.Context(), map[string][]byte{"shop": []byte("{}"), "blog": []byte("{}")}))
	read := func(known map[string]time.Time) map[string]time.Time {
		t.Helper()
		list, err := b.StoredSnapshots(t.Context(), time.UnixMilli(1), known)
		must.Succeed(t, err)
		at := make(map[string]time.Time)
		for _, s := range list {
			at[s.Cluster] = s.At
		}
		return at
	}
	all := read(nil)
	if rest := read(map[string]time.Time{"shop": all["shop"], "blog": all["blog"].Add(-time.Second)}); len(all) != 2 || len(rest) != 1 || rest["blog"].IsZero() {
		t.Errorf("got states %v, and then %v", all, rest)
	}

	epoch := func(cluster string) int64 { return a.leases.fenceOf(cluster)[cluster] }
	put := func(db *testInstance, bodies map[string][]byte) error {
		var list []StoredCanaries
		for cluster, body := range bodies {
			list = append(list, StoredCanaries{Cluster: cluster, Epoch: epoch(cluster), Body: body})
		}
		return db.PutCanaries(t.Context(), list)
	}
	stored := func() string {
		t.Helper()
		list, err := b.Canaries(t.Context(), []string{"shop", "blog", "wiki", "other"})
		must.Succeed(t, err)
		var text []string
		for _, c := range list {
			if c.Epoch != epoch(c.Cluster) || c.Age < 0 || c.Age > time.Minute {
				t.Errorf("got %+v", c)
			}
			text = append(text, fmt.Sprintf("%s:%d", c.Cluster, len(c.Body)))
		}
		return strings.Join(text, " ")
	}
	must.Succeed(t, put(a, map[string][]byte{"shop": []byte("abc"), "blog": make([]byte, MaxCanaries+1)}))
	expect.Equal(t, "canaries", "blog:0 shop:3", stored())
	must.Succeed(t, put(a, map[string][]byte{"shop": nil, "wiki": []byte("ab")}))
	expect.Equal(t, "canaries", "blog:0 wiki:2", stored())
	a.leases.mu.Lock()
	a.leases.epochs["wiki"]-- // an older owner
	a.leases.mu.Unlock()
	if _, fenced := errors.AsType[*FencedError](put(a, map[string][]byte{"wiki": nil})); !fenced {
		t.Error("a former owner deletes canaries")
	}
}

// TestTakeoverWaitsForWrite: while an owner writes, nobody takes its cluster over, and a process
// that was paused within a transaction does not block it for long.
func TestTakeoverWaitsForWrite(t *testing.T) {
	path := startPostgres(t).schema(t)
	former, next := joined(t, path, "a"), joined(t, path, "b")
	former.takes(t, "shop")
	silent(t, former)
	err := former.commitFenced(t.Context(), former.leases.fenceOf("shop"), func(tx *transaction) error {
		if next.takes(t, "shop") {
			t.Error("a cluster was taken over during a write")
		}
		deadline := time.Now().Add(4 * idleInTransactionTimeout)
		for !next.takes(t, "shop") {
			if time.Now().After(deadline) {
				t.Error("a transaction that was paused blocks a takeover")
				break
			}
			time.Sleep(idleInTransactionTimeout / 20)
		}
		_, err := tx.ExecContext(t.Context(), `SELECT 1`)
		return err
	})
	if err == nil {
		t.Error("the transaction that was paused was committed")
	}
}

// TestClaimedByOne: instances that claim at the same time never claim the same notification, and
// those of an incident in their order.
func TestClaimedByOne(t *testing.T) {
	path := startPostgres(t).schema(t)
	instances := []*testInstance{joined(t, path, "a"), joined(t, path, "b"), joined(t, path, "c")}
	const incidents, each = 10, 5
	for n := range each {
		for i := range incidents {
			id := fmt.Sprintf("i%d", i)
			commit(t, instances[0].DB, notification(fmt.Sprintf("%s-%d", id, n), "ops", id))
		}
	}
	var mu sync.Mutex
	var order []string
	var working sync.WaitGroup
	for _, i := range instances {
		working.Go(func() {
			for misses := 0; misses < 20; {
				n, ok, err := i.Claim(t.Context(), "ops", time.Now(), time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					misses++
					continue
				}
				mu.Lock()
				order = append(order, n.ID)
				mu.Unlock()
				if err := i.Delivered(t.Context(), n.ID, alerting.DeliveryRef{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	working.Wait()
	next := make(map[string]int)
	for _, id := range order {
		incident, n, _ := strings.Cut(id, "-")
		if want := fmt.Sprint(next[incident]); n != want {
			t.Errorf("%s was claimed where %s-%s is next", id, incident, want)
		}
		next[incident]++
	}
	if len(order) != incidents*each {
		t.Errorf("%d notifications were claimed, want %d", len(order), incidents*each)
	}
}

// TestClaimsOfDeadInstance: a notification that a dead instance was sending waits only until an
// attempt of it must have arrived.
func TestClaimsOfDeadInstance(t *testing.T) {
	path := startPostgres(t).schema(t)
	dead, next := joined(t, path, "a"), joined(t, path, "b")
	commit(t, dead.DB, notification("one", "ops", "i"))
	now := time.Now()
	claimed(t, dead.DB, "ops", now)
	free := func() bool {
		t.Helper()
		must.Succeed(t, next.FreeClaims(t.Context()))
		_, ok, err := next.Claim(t.Context(), "ops", now.Add(inFlightGrace+5*time.Second), time.Minute)
		must.Succeed(t, err)
		return ok
	}
	if free() {
		t.Error("the claim of a live instance was taken")
	}
	silent(t, dead)
	if !free() {
		t.Error("the claim of a dead instance lasts")
	}
}

// TestFleetExcludesOthers: a process that writes alone and a fleet exclude each other, and two
// living processes cannot have one name.
func TestFleetExcludesOthers(t *testing.T) {
	path := startPostgres(t).schema(t)
	first := joined(t, path, "a")
	_, err := Open(t.Context(), Config{Path: path + "&lock_timeout=100"})
	if _, inUse := errors.AsType[*InUseError](err); !inUse {
		t.Errorf("got error %v of a process that writes alone, want that the history is in use", err)
	}
	namesake, err := first.NewFleet()
	must.Succeed(t, err)
	defer namesake.Close()
	_, err = namesake.Beat(t.Context(), Instance{})
	if _, taken := errors.AsType[*NameTakenError](err); !taken {
		t.Errorf("got error %v of an instance with the same name", err)
	}
	first.takes(t, "shop")
	silent(t, first)
	state, err := namesake.Beat(t.Context(), Instance{})
	must.Succeed(t, err)
	if l := state.Leases[0]; l.Owner != "" || l.Epoch != 1 {
		t.Errorf("got %+v, want that what the dead process had is free", l)
	}
	_, err = first.Beat(t.Context(), Instance{})
	if _, taken := errors.AsType[*NameTakenError](err); !taken {
		t.Errorf("got error %v of a process that was replaced", err)
	}
}

// TestReplaced: a process whose session the server does not have any more is replaced at once by one
// of the same name, and what it had is free; the replaced one cannot take the name back.
func TestReplaced(t *testing.T) {
	path := startPostgres(t).schema(t)
	killed := joined(t, path, "a")
	killed.takes(t, "shop")
	next, err := killed.NewFleet()
	must.Succeed(t, err)
	defer next.Close()
	must.Succeed(t, killed.Fleet.Close()) // as the kernel does it for a process that was killed
	state, err := next.Beat(t.Context(), Instance{})
	for n := 0; err != nil && n < 100; n++ { // the server sees the end of a connection soon
		time.Sleep(50 * time.Millisecond)
		state, err = next.Beat(t.Context(), Instance{})
	}
	if err != nil || state.Leases[0].Owner != "" {
		t.Errorf("got leases %+v, error %v, want that what the killed process had is free", state.Leases, err)
	}
	woken, err := killed.NewFleet()
	must.Succeed(t, err)
	defer woken.Close()
	woken.run = killed.run
	_, err = woken.Beat(t.Context(), Instance{})
	if _, taken := errors.AsType[*NameTakenError](err); !taken {
		t.Errorf("got error %v of a process that was replaced", err)
	}
}

// TestLeave: an instance that ends gives its clusters away at once, and wakes the others.
func TestLeave(t *testing.T) {
	path := startPostgres(t).schema(t)
	leaving, next := joined(t, path, "a"), joined(t, path, "b")
	leaving.takes(t, "shop", "wiki")
	ctx, stop := context.WithCancel(t.Context())
	woken := make(chan Message, 10)
	ended := make(chan error, 1)
	go func() { ended <- next.Listen(ctx, func(m Message) { woken <- m }) }()
	awaitListener(t, next.DB)
	must.Succeed(t, leaving.Leave(t.Context()))
	select {
	case m := <-woken:
		if m.Kind != LeasesChanged {
			t.Errorf("got message %+v", m)
		}
	case <-time.After(10 * time.Second):
		t.Error("the other instance was not woken")
	}
	if !next.takes(t, "shop", "wiki") {
		t.Error("the clusters are not free")
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("listening ended with %v", err)
	}
}

// awaitListener waits until the database knows a listener.
func awaitListener(t *testing.T, db *DB) {
	t.Helper()
	for range 100 {
		var n int
		err := db.pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`).Scan(&n)
		must.Succeed(t, err)
		if n > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nobody listens")
}

// TestOrphans: the lease of an instance that never returns becomes free, so that its cluster is
// maintained.
func TestOrphans(t *testing.T) {
	path := startPostgres(t).schema(t)
	gone, left := joined(t, path, "a"), joined(t, path, "b")
	gone.takes(t, "shop")
	left.takes(t, "wiki")
	silent(t, gone)
	must.Succeed(t, left.cleanUpFleet(t.Context(), time.Now()))
	want := map[string]string{"shop": "", "wiki": "b"}
	for _, l := range left.beat(t).Leases {
		if owner, known := want[l.Cluster]; known && l.Owner != owner {
			t.Errorf("%s is of %q, want %q", l.Cluster, l.Owner, owner)
		}
	}
	if err := gone.Commit(t.Context(), gone.writeSetOf("shop", "1")); err == nil {
		t.Error("the instance that was gone writes with its old lease")
	}
}

// TestTargetsAfterTakeover: the sums of a cluster are continued by its next owner, and nobody loses
// partitions that another one needs.
func TestTargetsAfterTakeover(t *testing.T) {
	path := startPostgres(t).schema(t)
	former, next := joined(t, path, "a"), joined(t, path, "b")
	former.takes(t, "shop")
	next.takes(t, maintenance)
	begin := time.Now().Add(-3 * time.Hour).Truncate(time.Hour)
	target := checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: "a"}
	write(t, former.DB, Batch{Samples: every(target, begin, time.Minute, 60)})
	must.Succeed(t, former.maintain(t.Context(), begin.Add(2*time.Hour)))
	must.Succeed(t, former.Release(t.Context(), []string{"shop"}))
	next.takes(t, "shop")
	write(t, next.DB, Batch{Samples: every(target, begin.Add(time.Hour), time.Minute, 60)})
	must.Succeed(t, next.maintain(t.Context(), begin.Add(3*time.Hour)))
	uptimes, err := next.Uptimes(t.Context(), "shop", checks.Span{From: begin, To: begin.Add(2 * time.Hour)})
	if err != nil || len(uptimes) != 1 || uptimes[0].Probes != 120 {
		t.Errorf("got %+v and error %v, want 120 probes", uptimes, err)
	}
}
