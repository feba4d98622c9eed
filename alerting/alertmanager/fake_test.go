package alertmanager_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/alertmanager"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/pipenet"
	"stickwatch/alerting/message"
	"stickwatch/internal/must"
)

// A fake is an Alertmanager that records requests. Use it in a bubble.
type fake struct {
	pipes  *pipenet.Listener
	server *http.Server

	mu     sync.Mutex
	faults []http.HandlerFunc // for the next requests
	bodies []string
}

// in runs a test in a bubble that starts at the time of the examples.
func in(t *testing.T, test func(*testing.T, *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(example.Start)) // of the bubble
		f := &fake{pipes: pipenet.Listen()}
		f.server = &http.Server{Handler: http.HandlerFunc(f.take)}
		go f.server.Serve(f.pipes)
		defer f.server.Close()
		test(t, f)
	})
}

func (f *fake) take(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.faults) > 0 {
		fault := f.faults[0]
		f.faults = f.faults[1:]
		fault(w, r)
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil || r.Method+r.URL.Path != "POST/am/api/v2/alerts" {
		http.Error(w, "no such path", http.StatusNotFound)
		return
	}
	f.bodies = append(f.bodies, body.String())
}

func (f *fake) fail(faults ...http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

func (f *fake) client(t *testing.T, writer message.Writer) *alertmanager.Alertmanager {
	t.Helper()
	a, err := alertmanager.New(alertmanager.Config{
		URL: &url.URL{Scheme: "http", Host: "alertmanager.example", Path: "/am"}, Client: f.pipes.Client(), Writer: writer,
	})
	must.Succeed(t, err)
	return a
}

// alerts formats the alerts of each request: "critical 1h" fires for another hour,
// "critical ended" has ended.
func (f *fake) alerts(t *testing.T) [][]string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var all [][]string
	for _, body := range f.bodies {
		var alerts []struct {
			Labels       map[string]string
			EndsAt       time.Time
			StartsAt     time.Time
			GeneratorURL string
			Annotations  map[string]string
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&alerts); err != nil {
			t.Fatalf("decoding %q: %v", body, err)
		}
		var lines []string
		for _, a := range alerts {
			ends := "ended"
			if left := time.Until(a.EndsAt); left > 0 {
				ends = left.String()
			}
			if a.EndsAt.Before(a.StartsAt) {
				t.Errorf("alert ends before it starts: %s", body)
			}
			lines = append(lines, a.Labels["alertname"]+" "+a.Labels["severity"]+" "+ends)
		}
		all = append(all, lines)
	}
	return all
}

func deliver(t *testing.T, a *alertmanager.Alertmanager, n alerting.Notification) {
	t.Helper()
	if _, err := a.Notify(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func refresh(t *testing.T, a *alertmanager.Alertmanager, firing ...alerting.Incident) {
	t.Helper()
	must.Succeed(t, a.Refresh(t.Context(), firing))
}
