package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/demo"
	"stickwatch/internal/sleep"
	"stickwatch/internal/users"
)

// A Result is the outcome of a simulation.
type Result struct {
	Schedule      Schedule
	Began         time.Time // start on the virtual clock, the origin of operation times
	Requests      []users.Request
	Notifications []alerting.Notification
}

// An environment holds all participants of a simulation.
type environment struct {
	network    *Network
	sessions   *store
	cluster    *demo.Cluster
	instance   *instance
	population *users.Population
}

// latency is the duration of a connect, so that events do not all happen at the same
// time.
const latency = time.Millisecond

// pacings of the users: half of them are always active, a quarter idles for minutes,
// and a quarter is a new client with each request.
var pacings = []users.Pacing{
	{Every: 5 * time.Second},
	{Every: 10 * time.Second},
	{Every: 2 * time.Second, Burst: 8, Idle: 4 * time.Minute},
	{Every: 10 * time.Second, New: true},
}

// populationSize is the number of users.
const populationSize = 24

// Run plays a schedule. It must be called in a synctest bubble, where it takes only
// processor time. It returns an error when the schedule cannot be simulated.
func Run(ctx context.Context, s Schedule) (Result, error) {
	if err := s.Check(); err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", s.Seed, err)
	}
	steps, err := s.plan()
	if err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", s.Seed, err)
	}
	w, err := s.environment()
	if err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", s.Seed, err)
	}
	defer w.close()
	r := Result{Schedule: s, Began: time.Now()}
	if err := w.play(ctx, s, steps); err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", s.Seed, err)
	}
	r.Requests, r.Notifications = w.population.Log().Requests(), w.instance.notifications
	return r, nil
}

// environment starts the cluster and creates the users and the monitor.
func (s Schedule) environment() (*environment, error) {
	w := &environment{network: NewNetwork(s.Seed, latency), sessions: newStore()}
	var err error
	if w.cluster, err = s.Setup.start(w.network, w.sessions); err != nil {
		return nil, err
	}
	cfg, err := s.Setup.config(w.cluster)
	if err != nil {
		w.cluster.Close()
		return nil, err
	}
	cfg.Clusters[0].Dial = w.network.DialContext
	w.instance = newInstance(cfg, s.Seed)
	w.population = users.New(users.Config{
		URL: w.cluster.Balancer.URL(), Page: s.Setup.page(), Sticky: s.Setup.Policy != "shared",
		Users: populationSize, Pacings: pacings, Seed: s.Seed, ClientHeader: clientHeader, Dial: w.network.DialContext,
		Timeout: cfg.Clusters[0].Limits.Timeout, // users give up after the configured limit
	})
	return w, nil
}

// close stops the cluster and waits for connects that nobody needs any more, because
// http.Transport continues them until they time out.
func (w *environment) close() {
	w.cluster.Close()
	time.Sleep(2 * time.Minute)
}

// play runs the users, the monitor and the steps, one at a time, for the length of the
// schedule.
func (w *environment) play(ctx context.Context, s Schedule, steps []planned) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer w.instance.watcher.Close()
	defer wg.Wait()
	defer cancel()
	began := time.Now()
	wg.Go(func() { w.population.Run(ctx) })
	wg.Go(func() { w.instance.run(ctx) })
	for _, st := range steps {
		if !sleep.Until(ctx, began.Add(st.at)) {
			return ctx.Err()
		}
		if err := st.do(w); err != nil {
			return fmt.Errorf("at %v, to %s: %w", st.at, st.what, err)
		}
	}
	if !sleep.Until(ctx, began.Add(s.Length)) {
		return ctx.Err()
	}
	return nil
}
