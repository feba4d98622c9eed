// Package fleet shares the clusters of a configuration out to several instances of stickwatch, with
// a history in PostgreSQL and nothing else.
//
// Each instance records in the database every two seconds that it is alive. The clusters of an instance
// that is not heard of for eight seconds are free. Rendezvous hashing of the live instances says who
// takes a free cluster, and who should have it: an instance gives a cluster away, few at a time, if
// another one should have it. The database decides who was first, and its clock decides when a lease
// ends.
//
// A lease has an epoch that grows with each owner. Package history refuses every write for a cluster
// with an older epoch, so an instance that was paused or cut off cannot write after a takeover. Nor
// may it notify: [Keeper.MaySend] compares its last heartbeat with a clock that goes on while the
// process or the machine sleeps.
//
// While the database is away, every instance keeps its clusters. After half a minute it notifies by
// itself, and says so. If an instance dies in this time, nobody watches its clusters until the
// database is back.
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/loglimit"
	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

var processStarted = time.Now()

// The times of a keeper.
const (
	beatEvery = 2 * time.Second
	retry     = time.Second // after a failed heartbeat
	// aloneAfter is how long the database must be away before an instance notifies by itself.
	aloneAfter = history.HangsAfter
	// pauseTime is how long nothing may happen in a keeper before its process was paused. A
	// heartbeat takes 3 s at most.
	pauseTime = 5 * time.Second
)

// A Store is what a keeper needs of the history; see history.Fleet.
type Store interface {
	Beat(context.Context, history.Instance) (history.FleetState, error)
	Take(ctx context.Context, clusters []string) (epochs map[string]int64, ok bool, err error)
	Release(ctx context.Context, clusters []string) error
	Leave(context.Context) error
	FreeClaims(context.Context) error
	Listen(ctx context.Context, yield func(history.Message)) error
}

// Config configures a Keeper. All but Elapsed are required.
type Config struct {
	Name  string
	Store Store
	Self  func() history.Instance // as it is now
	Units func() []Unit           // of the configuration
	// Apply makes the clusters with these epochs those that this instance watches. Clusters that are
	// missing are given away when it returns, or were taken over. After an error it is called again.
	Apply func(ctx context.Context, own map[string]int64) error
	// Receive is called for each message of another instance, and after messages may have been lost.
	Receive func(history.MessageKind)
	Logger  *slog.Logger
	Elapsed func() time.Duration // since a fixed moment, also while the process is stopped and, on Linux, the machine sleeps; nil: elapsedInSleep
}

// A Keeper keeps the leases of an instance.
type Keeper struct {
	config     Config
	wake       chan struct{}            // beat now
	changed    chan struct{}            // the own clusters have changed
	free       map[string]time.Duration // since when a cluster is free; used by keep only
	failing    string                   // message of the newest failure, "": heartbeats arrive; used by keep only
	failureLog loglimit.Limiter

	mu        sync.Mutex // guards what follows
	state     history.FleetState
	leaving   map[string]bool // own clusters to be given away
	lost      bool            // another process has this name
	beat      time.Duration   // when the last heartbeat that arrived was sent
	ticked    time.Duration   // when the loop was seen to run last
	back      time.Time       // when the database was back last, by its clock
	away      time.Duration   // since when the database is away; 0: it is not
	takeovers int64
}

// NewKeeper returns a keeper without leases.
func NewKeeper(config Config) *Keeper {
	if config.Elapsed == nil {
		config.Elapsed = elapsedInSleep
	}
	return &Keeper{
		config: config, wake: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		leaving: make(map[string]bool), free: make(map[string]time.Duration),
	}
}

// Join sends the first heartbeat. It waits for the lease of an earlier process of the same name, and
// fails with history.NameTakenError if that is alive. It also waits for a database that is busy.
func (k *Keeper) Join(ctx context.Context) error {
	const margin, busy = 2 * time.Second, 30 * time.Second
	began := time.Now()
	for {
		err := k.heartbeat(ctx)
		limit := busy
		if _, taken := errors.AsType[*history.NameTakenError](err); taken {
			limit = history.LeaseTime + margin
		}
		if err == nil || time.Since(began) > limit || !sleep.For(ctx, retry) {
			return err
		}
	}
}

// Run keeps the leases until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var workers panics.Group
	workers.Go(func() { panics.Keep(ctx, panics.Daemon, func() { k.apply(ctx) }) })
	workers.Go(func() { panics.Keep(ctx, panics.Daemon, func() { k.listen(ctx) }) })
	workers.Go(func() { panics.Keep(ctx, panics.Daemon, func() { k.keep(ctx) }) })
	workers.Wait()
}

// keep sends heartbeats, and takes and releases clusters.
func (k *Keeper) keep(ctx context.Context) {
	for ctx.Err() == nil {
		wait := retry
		if err := k.heartbeat(ctx); err != nil {
			if ctx.Err() == nil {
				k.logFailed(err)
			}
		} else {
			k.failing = ""
			k.act(ctx)
			wait = k.untilNext()
		}
		select {
		case <-ctx.Done():
		case <-k.wake:
		case <-time.After(wait):
		}
	}
}

// logFailed logs a failed heartbeat, at most once a minute while its kind is the same.
func (k *Keeper) logFailed(err error) {
	message := "the fleet's database does not answer: this instance keeps its clusters"
	if _, taken := errors.AsType[*history.NameTakenError](err); taken {
		message = "another process has the name of this instance: it gives its clusters away"
	}
	if message != k.failing {
		k.failing = message
		k.failureLog.Reset()
	}
	if _, ok := k.failureLog.Allow(); ok {
		k.config.Logger.Warn(message, "err", err)
	}
}

// heartbeat sends one heartbeat and records its result.
func (k *Keeper) heartbeat(ctx context.Context) error {
	sent := k.tick()
	state, err := k.config.Store.Beat(ctx, k.config.Self())
	k.tick()
	k.mu.Lock()
	defer k.mu.Unlock()
	_, taken := errors.AsType[*history.NameTakenError](err)
	switch {
	case err == nil:
		if k.away != 0 {
			k.back = state.Now
		}
		k.state, k.beat, k.away, k.lost = state, sent, 0, false
	case taken:
		k.away, k.lost = 0, true
	case k.away == 0:
		k.away = sent
	}
	k.signal(k.changed)
	return err
}

// tick records that the loop runs. After a pause of the process nobody knows how long the database
// was away.
func (k *Keeper) tick() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.config.Elapsed()
	if k.away != 0 && now-k.ticked > pauseTime {
		k.away = now
	}
	k.ticked = now
	return now
}

func (k *Keeper) signal(to chan struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// untilNext returns the time until the next heartbeat, or until a lease ends.
func (k *Keeper) untilNext() time.Duration {
	const margin = 50 * time.Millisecond
	k.mu.Lock()
	defer k.mu.Unlock()
	wait := beatEvery
	for _, i := range k.state.Instances {
		if left := i.Expires.Sub(k.state.Now); left > 0 {
			wait = min(wait, left+margin)
		}
	}
	return wait
}

// act takes and releases clusters.
func (k *Keeper) act(ctx context.Context) {
	k.mu.Lock()
	state, back := k.state, k.back
	k.mu.Unlock()
	next := decide(state, back, k.config.Name, append(k.config.Units(), maintenance), k.freeFor(state))
	k.mu.Lock()
	for _, cluster := range next.release {
		k.leaving[cluster] = true
	}
	k.mu.Unlock()
	if len(next.release) > 0 {
		k.signal(k.changed)
	}
	if len(next.take) == 0 {
		return
	}
	for _, clusters := range next.take {
		if err := k.take(ctx, state, clusters); err != nil {
			k.config.Logger.Warn("taking over clusters", "clusters", clusters, "err", err)
			return
		}
	}
	if err := k.config.Store.FreeClaims(ctx); err != nil && ctx.Err() == nil {
		k.config.Logger.Warn("freeing the notifications of dead instances", "err", err)
	}
	k.signal(k.wake) // the next heartbeat reads the new leases
}

func (k *Keeper) take(ctx context.Context, state history.FleetState, clusters []string) error {
	_, ok, err := k.config.Store.Take(ctx, clusters)
	if err != nil || !ok {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, cluster := range clusters {
		delete(k.leaving, cluster)
	}
	for _, l := range state.Leases {
		if l.Cluster != "" && l.Owner != "" && l.Owner != k.config.Name && slices.Contains(clusters, l.Cluster) {
			k.takeovers++
			k.config.Logger.Warn("taking over the cluster of an instance that is not heard of", "cluster", l.Cluster, "instance", l.Owner)
		}
	}
	return nil
}

// freeFor returns a function that says how long a cluster has been free.
func (k *Keeper) freeFor(state history.FleetState) func(string) time.Duration {
	now := k.config.Elapsed()
	for _, l := range state.Leases {
		if state.Live(l.Owner) {
			delete(k.free, l.Cluster)
		}
	}
	return func(cluster string) time.Duration {
		if _, known := k.free[cluster]; !known {
			k.free[cluster] = now
		}
		return now - k.free[cluster]
	}
}

// own returns the clusters that this instance watches, with their epochs.
func (k *Keeper) own() map[string]int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	own := make(map[string]int64)
	for _, l := range k.state.Leases {
		if l.Owner == k.config.Name && !k.lost && !k.leaving[l.Cluster] {
			own[l.Cluster] = l.Epoch
		}
	}
	return own
}

// apply applies the own clusters whenever they change, and releases those that are given away.
func (k *Keeper) apply(ctx context.Context) {
	var applied map[string]int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		}
		if own := k.own(); applied == nil || !maps.Equal(own, applied) {
			if err := k.config.Apply(ctx, own); err != nil {
				k.config.Logger.Warn("taking over clusters: the next heartbeat tries again", "err", err)
				continue
			}
			applied = own
		}
		k.release(ctx, applied)
	}
}

// release gives the leaving clusters away, unless they are still watched.
func (k *Keeper) release(ctx context.Context, watched map[string]int64) {
	k.mu.Lock()
	var list []string
	for cluster := range k.leaving {
		if watched[cluster] == 0 {
			list = append(list, cluster)
		}
	}
	k.mu.Unlock()
	if len(list) == 0 {
		return
	}
	if err := k.config.Store.Release(ctx, list); err != nil {
		if ctx.Err() == nil {
			k.config.Logger.Warn("giving clusters away", "clusters", list, "err", err)
		}
		return
	}
	if named := slices.DeleteFunc(slices.Clone(list), func(cluster string) bool { return cluster == "" }); len(named) > 0 {
		k.config.Logger.Info("clusters given to other instances", "clusters", named)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, cluster := range list {
		delete(k.leaving, cluster)
	}
	k.state.Leases = slices.Clone(k.state.Leases) // act reads the old ones
	for n := range k.state.Leases {
		if slices.Contains(list, k.state.Leases[n].Cluster) {
			k.state.Leases[n].Owner = ""
		}
	}
}

// listen receives messages. After each connection it asks for everything, because messages may have
// been lost.
func (k *Keeper) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.config.Store.Listen(ctx, func(m history.Message) {
			if m.Kind == history.LeasesChanged {
				k.signal(k.wake)
			}
			k.config.Receive(m.Kind)
		})
		if ctx.Err() == nil {
			k.config.Logger.Debug("listening to other instances", "err", err)
			sleep.For(ctx, retry)
		}
	}
}

// Leave gives all clusters away. Call it when nothing is watched or written any more.
func (k *Keeper) Leave(ctx context.Context) error { return k.config.Store.Leave(ctx) }

// errPaused is the error of a notification that this process may not send any more.
var errPaused = errors.New("this process was paused, or cannot reach the database: another instance may send it")

// MaySend returns an error if another instance may send a notification: the lease of this one may
// have ended. A notification that it sends by itself needs none, but a database that is away.
func (k *Keeper) MaySend(n alerting.Notification) error {
	if n.Alone != "" {
		if _, ok := k.Alone(); ok {
			return nil
		}
		return errPaused
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lost || k.config.Elapsed()-k.beat >= history.LeaseTime {
		return errPaused
	}
	return nil
}

// Alone reports whether this instance notifies by itself, because the database has been away for
// long while this process was running, and its name.
func (k *Keeper) Alone() (name string, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.config.Elapsed()
	return k.config.Name, k.away != 0 && now-k.away >= aloneAfter && now-k.ticked < pauseTime
}

// A Status is what an instance knows of its fleet.
type Status struct {
	history.FleetState
	Name      string
	Away      time.Duration // how long the database has been away; 0: it answers
	Takeovers int64         // of clusters of instances that were not heard of
}

// Status returns the current status.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{FleetState: k.state, Name: k.config.Name, Takeovers: k.takeovers}
	s.Leases = slices.Clone(s.Leases)
	if k.away != 0 {
		s.Away = k.config.Elapsed() - k.away
	}
	return s
}

// OwnerOf returns the live instance that watches a cluster; "": none.
func (s Status) OwnerOf(cluster string) string {
	for _, l := range s.Leases {
		if l.Cluster == cluster && s.Live(l.Owner) {
			return l.Owner
		}
	}
	return ""
}

// Skewed returns the live instances whose configuration differs from that of this one.
func (s Status) Skewed() (names []string) {
	var digest string
	for _, i := range s.Instances {
		if i.Name == s.Name {
			digest = i.Digest
		}
	}
	for _, i := range s.Instances {
		if s.Live(i.Name) && i.Digest != digest {
			names = append(names, i.Name)
		}
	}
	return names
}
