package demo

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
)

// SessionFaults are what is wrong with a node only for clients that hold a
// session, or that want to store something in it. New clients are served.
type SessionFaults struct {
	ReturningStatus int // answers requests that bring a session cookie with this status; 0: serves them
	ReturningHangs  int // never answers one in this many of them; 0: answers all
	StoringStatus   int // answers requests that store a value with this status; 0: serves them

	LoginRedirect bool // redirects requests that bring a session cookie to /login
	ErrorPage     bool // answers the session pages with an error page and 200, and opens no session

	AdoptIDs   bool // opens a session under whatever id a client brings, as PHP does without session.use_strict_mode
	Overwrites bool // shows every session with the values that were stored last on this node, whoever stored them
}

// refuse answers a request for a session page that is not served, and reports
// whether it did.
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
		io.Copy(io.Discard, r.Body) // only then does the server notice that a client leaves
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

const errorPage = "<!DOCTYPE html><html><head><title>Error</title></head><body>We are sorry, something went wrong.</body></html>\n"

// httpError answers with a status that net/http may have no name for, as 419.
func httpError(w http.ResponseWriter, status int) {
	http.Error(w, fmt.Sprintf("%d %s", status, http.StatusText(status)), status)
}

// serveLogin is where clients without a login are led.
func (n *Node) serveLogin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!DOCTYPE html><html><head><title>Sign in</title></head><body><form><input name="user"><input name="password" type="password"></form></body></html>`)
}

// storesValue reports whether r brings a value for its session.
func storesValue(r *http.Request) bool {
	for _, key := range sessionKeys {
		if r.FormValue(key) != "" {
			return true
		}
	}
	return false
}

// adoptableID is what PHP takes for a session id, and the route that a balancer adds.
var adoptableID = regexp.MustCompile(`^[0-9A-Za-z,.-]{1,256}$`)

// withLastStored shows a session with what was stored last, and notes what is stored.
func (p *process) withLastStored(s Session, stored bool) Session {
	p.lastMu.Lock()
	defer p.lastMu.Unlock()
	if stored || p.last == nil {
		p.last = s
	}
	return p.last
}
