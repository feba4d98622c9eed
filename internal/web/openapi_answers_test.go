package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/docs/openapitest"
	"stickwatch/internal/must"
)

// TestEveryDocumentedAnswer gets every documented status of every operation. The server of a
// fakeDaemon compares each answer with the document.
func TestEveryDocumentedAnswer(t *testing.T) {
	document, err := openapitest.Load()
	must.Succeed(t, err)
	if len(document.Paths.Map()) < 10 {
		t.Fatalf("got %d paths, want all of the API", len(document.Paths.Map()))
	}
	for _, o := range operations {
		method, path, _ := strings.Cut(o.route, " ")
		item := document.Paths.Value(path)
		if item == nil || item.GetOperation(method) == nil {
			t.Errorf("the document does not have %s", o.route)
			continue
		}
		for status := range item.GetOperation(method).Responses.Map() {
			t.Run(o.route+" "+status, func(t *testing.T) {
				if got := o.provoke(t, status); strconv.Itoa(got.StatusCode) != status {
					t.Errorf("got the status %d", got.StatusCode)
				}
			})
		}
	}
}

// provoke sends a request of the operation whose answer should have a status.
func (o operation) provoke(t *testing.T, status string) *http.Response {
	d := newFakeDaemon(redisDown("shop"))
	d.silences = []alerting.Silence{{ID: "1", Cluster: "shop", From: testTime, To: testTime.Add(time.Hour)}}
	d.began = []checks.Deployment{{Cluster: "shop", Name: "4.2", Span: checks.Span{From: testTime}}}
	if status == "401" {
		return o.unauthorized(t, d)
	}
	s, r := d.server(t), o.request(t, status)
	users := filepath.Join(t.TempDir(), "web.yml")
	must.Succeed(t, os.WriteFile(users, []byte(aUser), 0o600))
	switch status {
	case "409":
		if strings.HasSuffix(o.route, "/probe") || strings.HasSuffix(o.route, "/notes") {
			d.broken = &ElsewhereError{"b"}
		}
		s.access.file = users
		d.fakeClusters[0].incidents[0].Acknowledged = alerting.Acknowledgement{At: testTime, By: "li"}
	case "422":
		d.reloads = 1
	case "500":
		d.broken, s.access.file = errors.New("disk I/O error"), users+".missing"
	case "503":
		d.ready, d.broken = errors.New("no round has been taken yet"), databaseAway{}
		s.rounds.close()
	case "504":
		d.broken = context.DeadlineExceeded
	}
	got := httptest.NewRecorder()
	s.ServeHTTP(got, r)
	return got.Result()
}

// request returns a request of the operation that has the fault of a status, if it is one of
// requests.
func (o operation) request(t *testing.T, status string) *http.Request {
	method, path, _ := strings.Cut(o.route, " ")
	id := "1"
	if strings.Contains(path, "incidents") {
		id = "20260314T115811000-shop"
	}
	path, body := strings.NewReplacer("{name}", "shop", "{id}", id).Replace(path)+o.query, o.sent
	contentType := "application/json"
	switch status {
	case "400":
		path, body = strings.TrimSuffix(path, o.query)+"?unknown=1", `{"unknown": 1}`
	case "404":
		replace := strings.NewReplacer("shop", "ship", "/1", "/2")
		path, body = replace.Replace(path), replace.Replace(body)
	case "413":
		body = `{"reason": "` + strings.Repeat("x", maxBody) + `"}`
	case "415":
		contentType = "text/plain"
	}
	r := askedAt(t, path, "127.0.0.1:9748", "127.0.0.1")
	r.Method, r.Body, r.ContentLength = method, http.NoBody, 0
	if o.body != nil {
		with := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Body, r.ContentLength = with.Body, with.ContentLength
		r.Header.Set("Content-Type", contentType)
	}
	if status == "421" {
		r.Host = "rebound.example"
	}
	if status == "403" || status == "421" {
		return r
	}
	return r.WithContext(asAdmin(r.Context()))
}

// unauthorized sends the request to a server with users, as nobody.
func (o operation) unauthorized(t *testing.T, d *fakeDaemon) *http.Response {
	file := filepath.Join(t.TempDir(), "web.yml")
	must.Succeed(t, os.WriteFile(file, []byte(aUser), 0o600))
	address, _ := running(t, d, func(c *Config) { c.WebConfigFile = file })
	r := o.request(t, "401")
	sent, err := http.NewRequestWithContext(t.Context(), r.Method, address+r.URL.RequestURI(), r.Body)
	must.Succeed(t, err)
	client := http.Client{Transport: openapitest.Transport{T: t, Base: &http.Transport{DisableKeepAlives: true}}}
	got, err := client.Do(sent)
	must.Succeed(t, err)
	must.Succeed(t, got.Body.Close())
	return got
}
