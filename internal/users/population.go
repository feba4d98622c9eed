package users

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"sync"
	"time"
)

// A Config says who the users are and what they use.
type Config struct {
	URL    string // root of the balancer, without a slash at its end
	Page   Page   // zero: Generic
	Sticky bool   // sessions are to stay on their node, so another node is Moved

	Users   int      // 0: 20
	Pacings []Pacing // equally many users have each; nil: DefaultPacings
	Seed    uint64   // of the users' timing

	// Client returns the client address of user number n, from 1. nil: defaultClient. ClientHeader is the request header that
	// carries it; "": none. FromClient dials from that address: it must be one of
	// this machine's, such as 127.0.0.0/8.
	Client       func(n int) netip.Addr
	ClientHeader string
	FromClient   bool

	// Dial opens connections; nil: a net.Dialer. It is not used with FromClient.
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	Timeout time.Duration // of a whole request; 0: 10 s
}

// A Population is users who use one application at the same time. Each has a
// goroutine of its own.
type Population struct {
	config Config
	users  []*user
	log    *Log

	mu     sync.Mutex
	owners map[string]int // session id -> the user it was given to first
}

// New returns a crowd that has not come yet.
func New(c Config) *Population {
	c.Users = cmp.Or(c.Users, 20)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Page.Path == "" {
		c.Page = Generic
	}
	if c.Pacings == nil {
		c.Pacings = DefaultPacings
	}
	if c.Client == nil {
		c.Client = defaultClient
	}
	population := &Population{config: c, log: NewLog(), owners: make(map[string]int)}
	for i, pacing := range c.shuffledPacings() {
		population.users = append(population.users, population.newUser(i+1, pacing))
	}
	return population
}

// defaultClient returns 10.0.n.n. The third byte differs because nginx's ip_hash reads
// the first three only, the last byte because HAProxy's `source` takes the whole address
// modulo the number of servers: with two, the last bit alone decides.
func defaultClient(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), byte(n)}) }

// shuffledPacings is the pace of each user. They are shuffled, because consecutive
// addresses go to nodes in turn, and each node is to have users of every pace.
func (c Config) shuffledPacings() []Pacing {
	pacings := make([]Pacing, c.Users)
	for i := range pacings {
		pacings[i] = c.Pacings[i%len(c.Pacings)]
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	random.Shuffle(len(pacings), func(i, j int) { pacings[i], pacings[j] = pacings[j], pacings[i] })
	return pacings
}

func (c *Population) newUser(number int, pacing Pacing) *user {
	u := &user{
		number: number, population: c, addr: c.config.Client(number), pacing: pacing,
		random: rand.New(rand.NewPCG(c.config.Seed, uint64(number))),
	}
	jar, _ := cookiejar.New(nil) // never fails without options
	u.http = &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DialContext: c.dialer(u.addr), DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: limitRedirects,
	}
	return u
}

// limitRedirects follows five redirects; the answer after that is what the user sees.
func limitRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

// dialer opens the connections of a user at addr.
func (c *Population) dialer(addr netip.Addr) func(context.Context, string, string) (net.Conn, error) {
	switch {
	case c.config.FromClient:
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: addr.AsSlice()}}).DialContext
	case c.config.Dial != nil:
		return c.config.Dial
	default:
		return new(net.Dialer).DialContext
	}
}

// Run lets the users come, and returns when ctx has ended and all have left.
func (c *Population) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, u := range c.users {
		wg.Go(func() { u.run(ctx) })
	}
	wg.Wait()
}

// Log is what the users have met so far. It may be read while they run.
func (c *Population) Log() *Log { return c.log }

// ownedByAnother reports whether a session was given to another user before.
func (c *Population) ownedByAnother(id string, number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	owner, known := c.owners[id]
	return known && owner != number
}

// recordOwner notes to whom a session was given.
func (c *Population) recordOwner(id string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.owners[id]; !known {
		c.owners[id] = number
	}
}
