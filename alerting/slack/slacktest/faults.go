package slacktest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"time"
)

// A Fault is something that goes wrong with a call. Of its parts that are set,
// all happen.
type Fault struct {
	Method string // such as "chat.postMessage", or "webhook"; "": any
	Times  int    // how often; 0: once, below: for ever

	Latency time.Duration // before anything else
	Reset   bool          // the connection is reset, and nothing has been done
	Status  int           // an HTTP status instead of an answer, and nothing has been done
	After   string        // the Retry-After that comes with Status
	Error   string        // an error of Slack's, such as "invalid_auth", and nothing has been done
	Die     bool          // it is done, and the connection is reset before the answer
}

// Fail lets calls go wrong from now on. Of several faults that fit a call the
// oldest happens.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.faults = append(s.faults, f)
	}
}

// Mend forgets all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault takes the next fault of a method, and notes the call.
func (s *Server) fault(method string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, method)
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times == 0 || f.Method != "" && f.Method != method {
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		return *f
	}
	return Fault{}
}

// faulty lets the calls of a method go wrong.
func (s *Server) faulty(method string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.fault(method)
		if !s.wait(r, f.Latency) {
			return
		}
		switch {
		case f.Reset:
			reset(w)
		case f.Status != 0:
			if f.After != "" {
				w.Header().Set("Retry-After", f.After)
			}
			http.Error(w, "cannot serve "+r.URL.Path, f.Status) // as careless servers do
		case f.Error != "" && method == "webhook":
			http.Error(w, f.Error, hookStatus(f.Error))
		case f.Error != "":
			respond(w, refusal(f.Error))
		case f.Die:
			next.ServeHTTP(httptest.NewRecorder(), r)
			reset(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// wait reports whether somebody still waits for the answer after it.
func (s *Server) wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
	case <-s.done:
	}
	return false
}

// reset ends the connection by RST instead of FIN.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// hookStatus is the HTTP status with which an incoming webhook says an error,
// after https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
func hookStatus(code string) int {
	status, ok := map[string]int{
		"action_prohibited":   http.StatusForbidden,
		"invalid_token":       http.StatusForbidden,
		"channel_not_found":   http.StatusNotFound,
		"no_service":          http.StatusNotFound,
		"user_not_found":      http.StatusNotFound,
		"channel_is_archived": http.StatusGone,
		"rollup_error":        http.StatusInternalServerError,
	}[code]
	if !ok {
		return http.StatusBadRequest
	}
	return status
}
