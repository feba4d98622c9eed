package webhook_test

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/pipenet"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/alerting/webhook"
	"stickwatch/internal/expect"
	"stickwatch/internal/notify/outboxtest"
)

// A ledger is a receiver that detects duplicates by their key.
type ledger struct {
	mu     sync.Mutex
	faults []http.HandlerFunc // for the next requests, before they are looked at
	loses  int                // of how many requests it takes the answer is lost
	sent   int
	kept   []string
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body) // a pipe holds nothing: an answer before the end breaks the request
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	if len(l.faults) > 0 {
		fault := l.faults[0]
		l.faults = l.faults[1:]
		fault(w, r)
		return
	}
	if key := r.Header.Get("Idempotency-Key"); len(l.kept) == 0 || l.kept[len(l.kept)-1] != key {
		l.kept = append(l.kept, key)
	}
	if l.loses > 0 {
		l.loses--
		panic(http.ErrAbortHandler)
	}
}

func status(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}
}

// deliver runs a dispatcher until the outbox is empty. It returns the outbox and how
// long that took in the time of the bubble.
func deliver(t *testing.T, l *ledger) (*outboxtest.Outbox, time.Duration) {
	t.Helper()
	pipes := pipenet.Listen()
	server := &http.Server{Handler: l}
	go server.Serve(pipes)
	defer server.Close()
	hook := newHook(t, webhook.Config{URL: &url.URL{Scheme: "http", Host: "ops.example", Path: "/hook"}, Client: pipes.Client()})
	outbox := outboxtest.New(example.Now(example.Fired()), example.Now(example.Developed()), example.Now(example.Resolved()))
	return outbox, receivertest.Dispatch(t, hook, outbox)
}

// TestDelivery: despite failures every document arrives in order; one whose response
// was lost arrives twice with the same key.
func TestDelivery(t *testing.T) {
	late := func(http.ResponseWriter, *http.Request) { time.Sleep(8 * time.Second); panic(http.ErrAbortHandler) }
	for name, tt := range map[string]struct {
		ledger  *ledger
		atLeast time.Duration
		sent    int
	}{
		"well":            {&ledger{}, 0, 3},
		"down":            {&ledger{faults: []http.HandlerFunc{status(500), status(502), status(503)}}, 0, 6},
		"late":            {&ledger{faults: []http.HandlerFunc{late, late}}, 16 * time.Second, 5},
		"limited":         {&ledger{faults: []http.HandlerFunc{status(429, "Retry-After", "90")}}, 90 * time.Second, 4},
		"limited, a date": {&ledger{faults: []http.HandlerFunc{status(503, "Retry-After", "Sat, 01 Jan 2000 00:10:00 GMT")}}, 10 * time.Minute, 4},
		"wrong password":  {&ledger{faults: []http.HandlerFunc{status(401), status(403)}}, 2 * time.Minute, 5},
		"moved":           {&ledger{faults: []http.HandlerFunc{status(302, "Location", "http://elsewhere.example/")}}, time.Minute, 4},
		"answers lost":    {&ledger{loses: 3}, 0, 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox, took := deliver(t, tt.ledger)
				receivertest.CheckDelivered(t, outbox)
				const id = "20260301T120000-5f2c/ops/"
				expect.Equal(t, "documents", []string{id + "1", id + "2", id + "4"}, tt.ledger.kept)
				if tt.ledger.sent != tt.sent || took < tt.atLeast {
					t.Errorf("got %d requests within %v of the bubble's time, want %d, not before %v", tt.ledger.sent, took, tt.sent, tt.atLeast)
				}
			})
		})
	}
}

// TestRefused: a permanently refused document is a dead letter with its reason, and
// the next one is delivered.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outbox, _ := deliver(t, &ledger{faults: []http.HandlerFunc{status(422)}})
		var got []string
		for _, e := range outbox.Entries() {
			got = append(got, string(e.State)+" "+e.Reason)
		}
		want := []string{"dead got status 422 Unprocessable Entity", "delivered ", "delivered "}
		expect.Equal(t, "outbox", want, got)
	})
}
