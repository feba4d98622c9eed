package slacktest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"time"
)

// A Fault makes calls fail. Latency always applies. Of Reset, Status, Error, and Die, only the first that
// is set applies.
type Fault struct {
	Method string // such as "chat.postMessage" or "webhook"; "": any
	Times  int    // number of calls; 0: one; negative: all

	Latency      time.Duration // before everything else
	Reset        bool          // reset the connection without executing the call
	Status       int           // respond with an HTTP status without executing the call
	RetryAfter   string        // the Retry-After header with Status
	Error        string        // respond with an error code, such as "invalid_auth", without executing the call
	LoseResponse bool          // execute the call and reset the connection before the response
}

// Fail adds faults. The oldest fault that matches a call applies.
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

// ClearFaults removes all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fault records a call and returns the fault that applies to it.
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

// faulty applies faults to the calls of a method.
func (s *Server) faulty(method string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := s.fault(method)
		body, err := io.ReadAll(r.Body) // first, or a client that still writes would not see the response
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !s.wait(r, fault.Latency) {
			return
		}
		switch {
		case fault.Reset:
			reset(w)
		case fault.Status != 0:
			if fault.RetryAfter != "" {
				w.Header().Set("Retry-After", fault.RetryAfter)
			}
			http.Error(w, "cannot serve "+r.URL.Path, fault.Status) // an error page that contains the secret path of a webhook
		case fault.Error != "" && method == "webhook":
			http.Error(w, fault.Error, hookStatus(fault.Error))
		case fault.Error != "":
			respond(w, refusal(fault.Error))
		case fault.LoseResponse:
			next.ServeHTTP(httptest.NewRecorder(), r)
			reset(w)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// wait waits for d. It reports whether the client still waits for the response.
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

// reset closes the connection with RST instead of FIN.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// hookStatus returns the HTTP status of an incoming webhook for an error, see
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
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
