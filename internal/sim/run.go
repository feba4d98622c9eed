package sim

import (
	"context"
	"fmt"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/demo"
	"stickwatch/internal/users"
)

// A Result is what a simulation came to.
type Result struct {
	Schedule      Schedule
	Began         time.Time // of the virtual clock; operations count from here
	Requests      []users.Request
	Notifications []alerting.Notification
}

// environment is everything that takes part in a simulation.
type environment struct {
	network    *Network
	sessions   *store
	cluster    *demo.Cluster
	instance   *instance
	population *users.Population
}

// latency is that of a connect, so that not everything happens at one moment.
const latency = time.Millisecond

// pacings of the users: half of them are always active, a quarter idles for minutes,
// a quarter is new with each request.
var pacings = []users.Pacing{
	{Every: 5 * time.Second},
	{Every: 10 * time.Second},
	{Every: 2 * time.Second, Burst: 8, Idle: 4 * time.Minute},
	{Every: 10 * time.Second, New: true},
}

// populationSize is how many users there are.
const populationSize = 24

// Run plays a schedule. It must be called in a synctest bubble, where it takes no
// longer than the processor needs. The error is that the schedule cannot be
// simulated.
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

// environment starts the cluster and makes those who use and watch it.
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
		Timeout: cfg.Clusters[0].Limits.Timeout, // users give up when the operator says that they do
	})
	return w, nil
}

// close stops the cluster, and waits for connects that nobody wants any more:
// http.Transport goes on with them until they time out.
func (w *environment) close() {
	w.cluster.Close()
	time.Sleep(2 * time.Minute)
}

// play lets users come and the monitor watch while the steps are carried out, one
// at a time, until the schedule's length is over.
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
		if !sleep(ctx, time.Until(began.Add(st.at))) {
			return ctx.Err()
		}
		if err := st.do(w); err != nil {
			return fmt.Errorf("at %v, to %s: %w", st.at, st.what, err)
		}
	}
	if !sleep(ctx, time.Until(began.Add(s.Length))) {
		return ctx.Err()
	}
	return nil
}
