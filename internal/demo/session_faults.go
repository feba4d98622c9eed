package demo

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
)

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
		io.Copy(io.Discard, r.Body) // the server notices a disconnect only after the body is read
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
