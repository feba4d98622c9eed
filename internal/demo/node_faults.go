package demo

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"stickwatch/internal/sleep"
)

// A Mode is a node's reaction to every request instead of an answer.
type Mode string

// The modes.
const (
	Answer   Mode = ""         // no fault: it answers
	Hang     Mode = "hang"     // accepts the request and never answers
	Drop     Mode = "drop"     // accepts the request and closes the connection
	Garbage  Mode = "garbage"  // answers with bytes that are not HTTP
	Endless  Mode = "endless"  // answers 200 with an endless body
	Redirect Mode = "redirect" // redirects to the same URL
)

// NodeFaults are the faults of a node. The zero value is a healthy node.
type NodeFaults struct {
	Mode  Mode
	Delay time.Duration // delay before every answer

	Failing    string // prefix of the failing paths; "/": all paths
	FailStatus int    // their status; 0: 500

	Paused       string // /status reports paused, with this reason
	ReasonCounts bool   // the reason ends with a number that grows with every answer

	Forgetful     bool // knows no session, not even those it opened
	Private       bool // keeps sessions in its own memory, whatever store is configured
	Rollback      bool // shows counters in sessions one lower than stored, as after a lost write
	ForgetSockets bool // knows no Engine.IO session

	ID          string        // label shown instead of its own id
	Version     string        // version shown instead of its own
	Scaling     string        // value of the "scaling" setting shown
	ClockOffset time.Duration // its clock is ahead by this duration

	CookiePath   string // path of session cookies
	CookieSecure bool   // sets session cookies Secure over plain HTTP; clients accept that on loopback

	SessionFaults
}

// Set replaces the node's faults for later requests.
func (n *Node) Set(f NodeFaults) { n.faults.Store(&f) }

// Change applies change to the node's faults. It is safe for concurrent use; change may
// be called more than once.
func (n *Node) Change(change func(*NodeFaults)) {
	for {
		old := n.faults.Load()
		f := *old
		change(&f)
		if n.faults.CompareAndSwap(old, &f) {
			return
		}
	}
}

// Faults returns the node's faults.
func (n *Node) Faults() NodeFaults { return *n.faults.Load() }

// corruptCookie applies the cookie faults.
func (f NodeFaults) corruptCookie(c *http.Cookie) *http.Cookie {
	if f.CookiePath != "" {
		c.Path = f.CookiePath
	}
	c.Secure = c.Secure || f.CookieSecure
	return c
}

// apply applies the faults to a request, and reports whether the request has ended.
func (f NodeFaults) apply(w http.ResponseWriter, r *http.Request) (ended bool) {
	if f.Delay > 0 && !sleep.For(r.Context(), f.Delay) {
		return true
	}
	switch f.Mode {
	case Hang:
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a disconnect only after the body is read
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case Drop:
		panic(http.ErrAbortHandler)
	case Garbage:
		writeGarbage(w)
	case Endless:
		writeEndless(w, r)
	case Redirect:
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
	default:
		return f.fail(w, r)
	}
	return true
}

// fail answers a request for a failing path.
func (f NodeFaults) fail(w http.ResponseWriter, r *http.Request) bool {
	if f.Failing == "" || !strings.HasPrefix(r.URL.Path, f.Failing) {
		return false
	}
	status := f.FailStatus
	if status == 0 {
		status = http.StatusInternalServerError
	}
	http.Error(w, http.StatusText(status), status)
	return true
}

// writeGarbage sends bytes that are not HTTP.
func writeGarbage(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("\x00\x16\x03 this is not HTTP \xff\x1b[31m\r\n\r\n"))
}

// writeEndless sends an answer until the client disconnects.
func writeEndless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	chunk := []byte(strings.Repeat("and so on ", 1<<10))
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// SessionFaults are faults of a node that affect only clients with a session, or
// clients that store a value. New clients are served.
type SessionFaults struct {
	ReturningStatus int // status of requests with a session cookie; 0: they are served
	ReturningHangs  int // one in this many of them gets no answer; 0: all are answered
	StoringStatus   int // status of requests that store a value; 0: they are served

	LoginRedirect bool // redirects requests with a session cookie to /login
	ErrorPage     bool // serves an error page with status 200 on session pages, and opens no session

	AdoptIDs   bool // opens a session under any id that a client sends, as PHP does without session.use_strict_mode
	Overwrites bool // shows every session with the values stored last on this node, by any client
}

// refuse applies the faults to a request for a session page, and reports whether it has
// answered.
func (n *Node) refuse(w http.ResponseWriter, r *http.Request, k sessionCookie) bool {
	faults := n.Faults()
	_, err := r.Cookie(k.cookie)
	returning := err == nil
	switch {
	case faults.ErrorPage:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, errorPage)
	case returning && faults.LoginRedirect:
		http.Redirect(w, r, "/login", http.StatusFound)
	case returning && faults.ReturningStatus != 0:
		httpError(w, faults.ReturningStatus)
	case storesValue(r) && faults.StoringStatus != 0:
		httpError(w, faults.StoringStatus)
	case returning && faults.ReturningHangs > 0 && n.process.Load().returned.Add(1)%int64(faults.ReturningHangs) == 0:
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a disconnect only after the body is read
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

const errorPage = "<!DOCTYPE html><html><head><title>Error</title></head><body>We are sorry, something went wrong.</body></html>\n"

// httpError answers with a status that net/http may not know, such as 419.
func httpError(w http.ResponseWriter, status int) {
	http.Error(w, fmt.Sprintf("%d %s", status, http.StatusText(status)), status)
}

// serveLogin serves the login page.
func (n *Node) serveLogin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!DOCTYPE html><html><head><title>Sign in</title></head><body><form><input name="user"><input name="password" type="password"></form></body></html>`)
}

// storesValue reports whether r stores a value in its session.
func storesValue(r *http.Request) bool {
	for _, key := range sessionKeys {
		if r.FormValue(key) != "" {
			return true
		}
	}
	return false
}

// adoptableID matches PHP's session ids, and the route that a balancer adds.
var adoptableID = regexp.MustCompile(`^[0-9A-Za-z,.-]{1,256}$`)

// withLastStored returns a session with the values stored last, and records new ones.
func (p *process) withLastStored(s Session, stored bool) Session {
	p.lastMu.Lock()
	defer p.lastMu.Unlock()
	if stored || p.last == nil {
		p.last = s
	}
	return p.last
}
