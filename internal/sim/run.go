// Package sim runs the real monitor in virtual time against clusters that are operated
// and that fail, and compares its notifications with the outcomes of the users'
// requests.
//
// A Schedule is a cluster with the operations and faults that happen to it. It is made
// from a seed or parsed from text. Run plays it inside a testing/synctest bubble with
// the nodes and a balancer of package demo on a network in memory, monitor.Watcher at
// the default intervals, the ledger of findings, the incident manager with the default
// rules, and a population of reference users. Score compares the users' log with the
// notifications, by the scale of harm in harm.go, and with the schedule.
//
// # How far a seed is reproducible
//
// The seed determines the cluster, the operations and their times, when each user sends
// its requests, when the monitor's jobs run, and which packets are lost. One goroutine
// carries out all steps of operations in the order of time. Two things are not
// determined: the order in which the Go scheduler runs goroutines that are ready at the
// same time, and the random numbers of the monitor itself (session ids, the order of
// follow-ups).
//
// The tests therefore use one processor (GOMAXPROCS=1), where the scheduler's order is
// mostly the same: four runs of half an hour with five operations agreed in every
// request of every user and in every notification. This is not guaranteed, because the
// runtime preempts a goroutine that runs for 10 ms, and the monitor's random numbers
// differ. Runs differ in details, such as which worker of the balancer accepts a
// connection, and a counterexample that depends on such a detail appears in some runs
// only. Run a schedule several times before you consider it fixed.
//
// A seed produces the same schedule only while the kinds of operations, their weights
// and the setups are unchanged. Schedules that must last are kept as text in
// testdata/schedules.
package sim

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
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
	Failures      []failure
	Notifications []alerting.Notification
}

// A failure is a request for the page that users ask for, of any client, for which the log of the
// balancer has an error.
type failure struct {
	client   string // its cookies; without any, each request is one of a new client
	from, to time.Time
}

// A failureLog collects failures in the order in which they end.
type failureLog struct {
	page string // path
	mu   sync.Mutex
	list []failure
}

func (l *failureLog) add(r *http.Request, status int, took time.Duration) {
	if status < http.StatusBadRequest || r.URL.Path != l.page {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	client := cmp.Or(r.Header.Get("Cookie"), fmt.Sprint("new ", len(l.list)))
	l.list = append(l.list, failure{client, now.Add(-took), now})
}

// An environment holds all participants of a simulation.
type environment struct {
	network    *Network
	sessions   *store
	cluster    *demo.Cluster
	instance   *instance
	population *users.Population
	failures   failureLog

	valid, expired *tls.Config // of nodes and balancer, with TLS
	switched       bool        // the balancer's list was replaced as a whole
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
func Run(ctx context.Context, schedule Schedule) (Result, error) {
	if err := schedule.Check(); err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", schedule.Seed, err)
	}
	steps, err := schedule.plan()
	if err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", schedule.Seed, err)
	}
	e, err := schedule.environment()
	if err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", schedule.Seed, err)
	}
	defer e.close()
	r := Result{Schedule: schedule, Began: time.Now()}
	if err := e.play(ctx, schedule, steps); err != nil {
		return Result{}, fmt.Errorf("simulating seed %d: %w", schedule.Seed, err)
	}
	r.Requests, r.Failures, r.Notifications = e.population.Log().Requests(), e.failures.list, e.instance.notifications
	return r, nil
}

// environment starts the cluster and creates the users and the monitor.
func (s Schedule) environment() (*environment, error) {
	e := &environment{network: NewNetwork(s.Seed, latency), sessions: newStore(), failures: failureLog{page: s.Setup.page().Path}}
	var err error
	if e.cluster, err = s.Setup.start(e.network, e.sessions, e.failures.add); err != nil {
		return nil, err
	}
	cfg, err := s.Setup.config(e.cluster)
	if err != nil {
		e.cluster.Close()
		return nil, err
	}
	cluster := cfg.Clusters[0]
	cluster.Dial = e.network.DialContext
	if s.Setup.TLS {
		if cluster.TLS, err = e.encrypt(); err != nil {
			e.cluster.Close()
			return nil, err
		}
	}
	e.instance = newInstance(cfg, s.Seed)
	e.population = users.New(users.Config{
		URL: s.Setup.url(e.cluster.Balancer.URL()), Page: s.Setup.page(), Sticky: s.Setup.Policy != "shared", TLS: cluster.TLS,
		Users: populationSize, Pacings: pacings, Seed: s.Seed, ClientHeader: clientHeader, Dial: e.network.DialContext,
		Timeout: cluster.Limits.Timeout, // users give up after the configured limit
	})
	return e, nil
}

// encrypt gives a valid certificate to nodes and balancer, and returns the configuration
// of clients that trust it.
func (e *environment) encrypt() (clients *tls.Config, err error) {
	clients, err = e.certify()
	for _, n := range e.cluster.Nodes {
		e.network.SetTLS(n.Addr(), e.valid)
	}
	e.network.SetTLS(e.cluster.Balancer.Addr(), e.valid)
	return clients, err
}

// certify issues a certificate that is valid and one that has expired, and returns the
// configuration of clients that trust both issuers. Clients resume sessions in TLS 1.2,
// which needs no public-key operation; a server with the other certificate knows no
// session of the first.
func (e *environment) certify() (clients *tls.Config, err error) {
	const validFor = 90 * 24 * time.Hour
	valid, err := newCertificate(time.Now().Add(validFor))
	if err != nil {
		return nil, err
	}
	expired, err := newCertificate(time.Now().Add(-time.Minute))
	if err != nil {
		return nil, err
	}
	e.valid, e.expired = &tls.Config{Certificates: []tls.Certificate{valid}}, &tls.Config{Certificates: []tls.Certificate{expired}}
	trusted := x509.NewCertPool()
	trusted.AddCert(valid.Leaf)
	trusted.AddCert(expired.Leaf)
	return &tls.Config{RootCAs: trusted, MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}, nil
}

// newCertificate returns a self-signed certificate of 127.0.0.1.
func newCertificate(until time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("generating a key: %w", err)
	}
	const issued = 365 * 24 * time.Hour
	template := &x509.Certificate{
		SerialNumber: big.NewInt(until.Unix()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: until.Add(-issued), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// close stops the cluster and waits for connects that nobody needs any more, because
// http.Transport continues them until they time out.
func (e *environment) close() {
	e.cluster.Close()
	time.Sleep(2 * time.Minute)
}

// play runs the users, the monitor and the steps, one at a time, for the length of the
// schedule.
func (e *environment) play(ctx context.Context, s Schedule, steps []planned) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer e.instance.watcher.Close()
	defer wg.Wait()
	defer cancel()
	began := time.Now()
	wg.Go(func() { e.population.Run(ctx) })
	wg.Go(func() { e.instance.run(ctx) })
	for _, st := range steps {
		if !sleep.Until(ctx, began.Add(st.at)) {
			return ctx.Err()
		}
		if err := st.do(e); err != nil {
			return fmt.Errorf("at %v, to %s: %w", st.at, st.what, err)
		}
	}
	if !sleep.Until(ctx, began.Add(s.Length)) {
		return ctx.Err()
	}
	return nil
}

// A store is the session store of all nodes. It can fail.
type store struct {
	mu   sync.Mutex
	now  *demo.MemoryStore
	down bool
}

func newStore() *store { return &store{now: demo.NewStore()} }

var errStoreDown = errors.New("the session store does not answer")

// set sets whether the store is down.
func (s *store) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// flush deletes all sessions.
func (s *store) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = demo.NewStore()
}

func (s *store) memory() (*demo.MemoryStore, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errStoreDown
	}
	return s.now, nil
}

// Get implements demo.Store.
func (s *store) Get(ctx context.Context, id string) (demo.Session, bool, error) {
	m, err := s.memory()
	if err != nil {
		return nil, false, err
	}
	return m.Get(ctx, id)
}

// Put implements demo.Store.
func (s *store) Put(ctx context.Context, id string, session demo.Session) error {
	m, err := s.memory()
	if err != nil {
		return err
	}
	return m.Put(ctx, id, session)
}
