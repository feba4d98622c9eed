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

	Users int    // 0: 20
	Paces []Pace // equally many users have each; nil: DefaultPaces
	Seed  uint64 // of the users' timing

	// Client is the client address of user number n, from 1; nil: 10.0.n.1, so
	// that each is in a /24 of its own. ClientHeader is the request header that
	// carries it; "": none. FromClient dials from that address: it must be one of
	// this machine's, such as 127.0.0.0/8.
	Client       func(n int) netip.Addr
	ClientHeader string
	FromClient   bool

	// Dial opens connections; nil: a net.Dialer. It is not used with FromClient.
	Dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	Timeout time.Duration // of a whole request; 0: 10 s
}

// A Crowd is users who use one application at the same time. Each has a
// goroutine of its own.
type Crowd struct {
	config Config
	users  []*user
	log    *Log

	mu     sync.Mutex
	owners map[string]int // session id -> the user it was given to first
}

// New returns a crowd that has not come yet.
func New(c Config) *Crowd {
	c.Users = cmp.Or(c.Users, 20)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	if c.Page.Path == "" {
		c.Page = Generic
	}
	if c.Paces == nil {
		c.Paces = DefaultPaces
	}
	if c.Client == nil {
		c.Client = func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 1}) }
	}
	crowd := &Crowd{config: c, log: NewLog(), owners: make(map[string]int)}
	for i, pace := range c.shuffledPaces() {
		crowd.users = append(crowd.users, crowd.newUser(i+1, pace))
	}
	return crowd
}

// shuffledPaces is the pace of each user. They are shuffled, because consecutive
// addresses go to nodes in turn, and each node is to have users of every pace.
func (c Config) shuffledPaces() []Pace {
	paces := make([]Pace, c.Users)
	for i := range paces {
		paces[i] = c.Paces[i%len(c.Paces)]
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	random.Shuffle(len(paces), func(i, j int) { paces[i], paces[j] = paces[j], paces[i] })
	return paces
}

func (c *Crowd) newUser(number int, pace Pace) *user {
	u := &user{
		number: number, crowd: c, addr: c.config.Client(number), pace: pace,
		random: rand.New(rand.NewPCG(c.config.Seed, uint64(number))),
	}
	jar, _ := cookiejar.New(nil) // never fails without options
	u.http = &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DialContext: c.dialer(u.addr), DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: followFew,
	}
	return u
}

// followFew follows five redirects; the answer after that is what the user sees.
func followFew(_ *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

// dialer opens the connections of a user at addr.
func (c *Crowd) dialer(addr netip.Addr) func(context.Context, string, string) (net.Conn, error) {
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
func (c *Crowd) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, u := range c.users {
		wg.Go(func() { u.run(ctx) })
	}
	wg.Wait()
}

// Log is what the users have met so far. It may be read while they run.
func (c *Crowd) Log() *Log { return c.log }

// ownedByAnother reports whether a session was given to another user before.
func (c *Crowd) ownedByAnother(id string, number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	owner, known := c.owners[id]
	return known && owner != number
}

// owns notes to whom a session was given.
func (c *Crowd) owns(id string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.owners[id]; !known {
		c.owners[id] = number
	}
}
