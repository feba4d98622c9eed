package users

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/sleep"
)

// A user is one client. It sends one request at a time.
type user struct {
	number     int // from 1
	population *Population
	addr       netip.Addr // client address; zero: the machine's own
	pacing     Pacing
	random     *rand.Rand
	http       *http.Client

	id        string // id of the session it holds; "": none
	owner     string // node that served the session last
	attempted int    // counter that it tried to store last
	written   int    // counter that is known to be stored; 0: none
}

// run sends requests until ctx ends.
func (u *user) run(ctx context.Context) {
	defer u.http.CloseIdleConnections()
	if !sleep.For(ctx, randomDuration(u.random, u.pacing.Every)) {
		return
	}
	for n := 1; ; n++ {
		if u.pacing.New {
			u.forgetSession()
		}
		if r, ok := u.request(ctx, n); ok {
			u.population.log.add(r)
		}
		if !sleep.For(ctx, u.pacing.gap(n, u.random)) {
			return
		}
	}
}

// forgetSession discards cookies and session, so that the next request is that of a new
// client.
func (u *user) forgetSession() {
	u.http.Jar, _ = cookiejar.New(nil) // never fails without options
	u.id, u.owner, u.attempted, u.written = "", "", 0, 0
}

// writeEvery is the number of requests per request that stores a value.
const writeEvery = 4

// request sends request number n and classifies the answer. It returns false when ctx
// ended meanwhile, because the outcome is unknown then.
func (u *user) request(ctx context.Context, n int) (Request, bool) {
	path, stores := u.population.config.Page.Path, false
	if u.id != "" && n%writeEvery == 2 && u.population.config.Page.Write != "" {
		u.attempted, stores = u.attempted+1, true
		path = u.population.config.Page.writePath(u.value(u.attempted))
	}
	r := Request{User: u.number, At: time.Now(), Owner: u.owner, New: u.id == "", Write: stores}
	got := u.send(ctx, http.MethodGet, path, "")
	if ctx.Err() != nil {
		return r, false
	}
	r.Took, r.Status, r.Node = time.Since(r.At), got.status, got.node
	r.Outcome, r.Detail = u.classify(got, stores)
	u.adoptSession(got, r.Outcome)
	if !r.Outcome.Harmful() {
		if why := u.connect(ctx); why != "" {
			r.Outcome, r.Detail = Error, why
		}
	}
	return r, ctx.Err() == nil
}

// connect opens an Engine.IO connection by polling, joins the default namespace and
// closes the connection, as the page's script does. It returns why that failed.
func (u *user) connect(ctx context.Context) string {
	path := u.population.config.Page.Socket
	if path == "" {
		return ""
	}
	path += "?EIO=4&transport=polling"
	unique := fmt.Sprintf("&t=%d.%d", u.number, time.Now().UnixNano()) // as in socket.io's client, against caches
	opened := u.send(ctx, http.MethodGet, path+unique, "")
	sid := firstGroup(socketID, opened.body)
	if sid == "" {
		return fmt.Sprintf("opening the connection: status %d", opened.status)
	}
	const join, closing = "40", "1"
	if joined := u.send(ctx, http.MethodPost, path+"&sid="+url.QueryEscape(sid), join+"\x1e"+closing); joined.status != http.StatusOK {
		return fmt.Sprintf("joining over the connection: status %d", joined.status)
	}
	return ""
}

// Values are numbers, because a page that shows an older one may count down. Each user
// has a million of them, in a range that a probe with a counter is unlikely to reach.
const (
	valuesPerUser = 1_000_000
	firstValue    = 1_000_000 * valuesPerUser
)

// value returns the value for counter n of the user. No other user stores it.
func (u *user) value(n int) string { return strconv.Itoa(firstValue + u.number*valuesPerUser + n) }

// parseValue splits a stored value into user number and counter. It returns false when
// no user of a population wrote it.
func parseValue(value string) (number, counter int, ok bool) {
	v, err := strconv.Atoi(value)
	v -= firstValue
	return v / valuesPerUser, v % valuesPerUser, err == nil && v >= valuesPerUser
}

// A response is an answer with its HTTP status, or the error that prevented it.
type response struct {
	answer
	body   string
	status int
	err    error
}

// maxBody limits how much of an answer is read, in bytes.
const maxBody = 1 << 20

// send requests a path, with a body unless it is empty, and follows a few redirects, as a
// browser does.
func (u *user) send(ctx context.Context, method, path, content string) response {
	ctx, cancel := context.WithTimeout(ctx, u.population.config.Timeout)
	defer cancel()
	target, err := url.Parse(u.population.config.URL + path)
	if err != nil {
		return response{err: err}
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), strings.NewReader(content))
	if err != nil {
		return response{err: err}
	}
	if name := u.population.config.ClientHeader; name != "" && u.addr.IsValid() {
		req.Header.Set(name, u.addr.String())
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return response{err: err, status: resp.StatusCode}
	}
	return response{answer: u.population.config.Page.parseAnswer(string(body)), body: string(body), status: resp.StatusCode}
}

// A Pacing is the rhythm in which a user sends requests.
type Pacing struct {
	Every time.Duration // interval between two requests while active; varies by a quarter of it
	Burst int           // requests until the user idles; 0: it never idles
	Idle  time.Duration // duration of an idle period
	New   bool          // each request comes from a new client without cookies
}

// defaultPacings gives two of four users a steady rhythm. One idles for minutes, and
// one is a new client with each request.
var defaultPacings = []Pacing{
	{Every: 2 * time.Second},
	{Every: 5 * time.Second},
	{Every: time.Second, Burst: 10, Idle: 4 * time.Minute},
	{Every: 3 * time.Second, New: true},
}

// gap returns how long the user waits after its request number n, from 1.
func (p Pacing) gap(n int, random *rand.Rand) time.Duration {
	wait := p.Every
	if p.Burst > 0 && n%p.Burst == 0 {
		wait = p.Idle
	}
	return wait - wait/8 + randomDuration(random, wait/4)
}

// randomDuration returns a random duration below d; 0 if d is not positive.
func randomDuration(random *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(d)))
}
