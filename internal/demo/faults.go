package demo

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// A Mode is what a node does to every request instead of answering it.
type Mode string

// The modes.
const (
	Answer   Mode = ""         // none of them: it answers
	Hang     Mode = "hang"     // takes the request and never answers
	Drop     Mode = "drop"     // takes the request and closes the connection
	Garbage  Mode = "garbage"  // answers something that is no HTTP
	Endless  Mode = "endless"  // answers 200 with a body that does not end
	Redirect Mode = "redirect" // redirects to the same place
)

// NodeFaults are what is wrong with a node. The zero value is a healthy node.
type NodeFaults struct {
	Mode  Mode
	Delay time.Duration // before every answer

	Failing    string // prefix of the paths that fail; "/": all of them
	FailStatus int    // what they fail with; 0: 500

	Paused       string // the reason for which /status says paused
	ReasonCounts bool   // that reason, whatever it is, ends with a number that grows with every answer

	Forgetful     bool // knows no session, not even those it just began
	Private       bool // keeps sessions in its own memory, whatever store it was given
	Rollback      bool // shows counters in sessions one lower than stored, as after a lost write
	ForgetSockets bool // knows no Engine.IO session

	ID          string        // calls itself this instead of its own id
	Version     string        // says that it runs this version instead of its own
	Scaling     string        // says that this is its "scaling" setting
	ClockOffset time.Duration // its clock is ahead by this much

	CookiePath   string // sets session cookies for this path
	CookieSecure bool   // sets session cookies Secure, though it speaks plain HTTP; clients forgive that on loopback

	SessionFaults
}

// Set replaces the node's faults, for the requests that come from now on.
func (n *Node) Set(f NodeFaults) { n.faults.Store(&f) }

// Change lets change add to the node's faults. Changes may run side by side;
// change may then be called more than once.
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

// corruptCookie makes a cookie as bad as it is to be.
func (f NodeFaults) corruptCookie(c *http.Cookie) *http.Cookie {
	if f.CookiePath != "" {
		c.Path = f.CookiePath
	}
	c.Secure = c.Secure || f.CookieSecure
	return c
}

// afflict does to a request what is wrong with the node, and reports whether
// that was the end of it.
func (f NodeFaults) apply(w http.ResponseWriter, r *http.Request) (ended bool) {
	if f.Delay > 0 && !pause(r.Context(), f.Delay) {
		return true
	}
	switch f.Mode {
	case Hang:
		io.Copy(io.Discard, r.Body) // only then does the server notice that a client leaves
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

// fail answers the paths that are to fail.
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

// pause waits for d, and reports whether the client did, too.
func pause(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// writeGarbage answers in no protocol at all.
func writeGarbage(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte("\x00\x16\x03 this is not HTTP \xff\x1b[31m\r\n\r\n"))
}

// writeEndless answers until the client has had enough.
func writeEndless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	chunk := []byte(strings.Repeat("and so on ", 1<<10))
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
