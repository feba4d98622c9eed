package post

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestStatusMatrix: every status is a success, retried, retried after RepairPause, or permanent.
// Retry-After only counts without RepairPause.
func TestStatusMatrix(t *testing.T) {
	again := map[int]time.Duration{408: 0, 425: 0, 429: 0, 401: RepairPause, 403: RepairPause, 404: RepairPause, 405: RepairPause, 407: RepairPause}
	for status := 200; status < 600; status++ {
		refusal := Refusal{Status: status}
		after, retriable := again[status]
		var want error
		switch {
		case status >= 500 || retriable:
			want = alerting.Retriable{After: after, Err: refusal}
		case status >= 400:
			want = alerting.Permanent{Err: refusal}
		case status >= 300:
			want = alerting.Retriable{After: RepairPause, Err: refusal}
		}
		if got := classify(refusal, http.Header{}, time.Time{}); !reflect.DeepEqual(got, want) {
			t.Errorf("status %d: got %#v, want %#v", status, got, want)
		}
		if retriable, ok := want.(alerting.Retriable); ok && retriable.After == 0 {
			retriable.After = 30 * time.Second
			want = retriable
		}
		if got := classify(refusal, http.Header{"Retry-After": {"30"}}, time.Time{}); !reflect.DeepEqual(got, want) {
			t.Errorf("status %d with Retry-After: got %#v, want %#v", status, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"30":                             30 * time.Second,
		"0":                              0,
		"-5":                             0,
		"1.5":                            0,
		"99999999":                       time.Hour,
		"2147483648":                     time.Hour,
		"9223372037":                     time.Hour,
		"99999999999999999999":           time.Hour,
		"-99999999999999999999":          0,
		"soon":                           0,
		"Sun, 01 Mar 2026 12:00:20 GMT":  20 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
		"Sun, 01 Mar 2027 11:00:00 GMT":  time.Hour,
		"Sunday, 01-Mar-26 12:01:00 GMT": time.Minute,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("Retry-After %q: got %v, want %v", value, got, want)
		}
	}
}

// TestRedirects: only a redirect to the same host with the same method is followed.
func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a message went to another host")
	}))
	defer elsewhere.Close()
	var got []string
	mux := http.NewServeMux()
	mux.HandleFunc("/taken", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+string(body))
	})
	mux.Handle("/307", http.RedirectHandler("/taken", http.StatusTemporaryRedirect))
	mux.Handle("/302", http.RedirectHandler("/taken", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()

	for path, want := range map[string]string{
		"/307":  "",
		"/302":  "got status 302 Found, a redirect that is not followed",
		"/away": "got status 307 Temporary Redirect, a redirect that is not followed",
	} {
		err := endpointOf(server.URL+path).Post(t.Context(), http.Header{}, []byte("message"))
		if text(err) != want {
			t.Errorf("%s: got %q, want %q", path, text(err), want)
		}
	}
	expect.Equal(t, "what arrived", []string{"POST message"}, got)
}

// TestEndlessGzip checks that Post stops reading a response that consists of endless empty
// gzip members.
func TestEndlessGzip(t *testing.T) {
	var empty bytes.Buffer
	gzip.NewWriter(&empty).Close()
	written := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		sum := 0
		for {
			n, err := w.Write(empty.Bytes())
			if sum += n; err != nil {
				written <- sum
				return
			}
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_ = endpointOf(server.URL).Post(ctx, http.Header{}, nil)
	// The server also fills the buffers of the connection, which are larger than maxAnswer.
	if got := <-written; got > 16<<20 {
		t.Errorf("the server wrote %d bytes, want at most 16 MiB", got)
	}
}

// TestErrorsShowNoAddress: no error contains the path of the URL, which may be a
// password.
func TestErrorsShowNoAddress(t *testing.T) {
	const secret = "T000SECRET"
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("how") {
		case "die":
			panic(http.ErrAbortHandler)
		case "loop":
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		default:
			http.Error(w, "cannot POST "+r.URL.String(), http.StatusNotFound)
		}
	}))
	defer echo.Close()
	for _, address := range []string{
		echo.URL + "/" + secret,
		echo.URL + "/" + secret + "?how=die",
		echo.URL + "/" + secret + "?how=loop",
		"http://user:" + secret + "@127.0.0.1:1/" + secret,
		"ftp://127.0.0.1/" + secret,
	} {
		err := endpointOf(address).Post(t.Context(), http.Header{}, nil)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("got error %v, want one without the address", err)
		}
	}
}

func TestQuote(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no\x1b[31m such\nlabel "+strings.Repeat("x", 1<<20), http.StatusBadRequest)
	}))
	defer server.Close()
	e := endpointOf(server.URL)
	e.Quote = func(answer string) string { return answer[:20] }
	const want = `got status 400 Bad Request: "no[31m such label xx"`
	if err := e.Post(t.Context(), http.Header{}, nil); text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
}

func endpointOf(address string) Endpoint {
	return Endpoint{Client: Client(nil), URL: must.URL(address)}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"30", "99999999999999999999", "-1", "Sun, 01 Mar 2026 12:00:20 GMT", "Sun, 01 Mar 9999 12:00:20 GMT"} {
		f.Add(value)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(http.Header{"Retry-After": {value}}, now)
		if got < 0 || got > alerting.MaxReceiverPause {
			t.Errorf("%q: got %s", value, got)
		}
		digits := strings.Trim(value, "0123456789") == "" && strings.Trim(value, "0") != ""
		if digits && got == 0 {
			t.Errorf("%q: got no pause", value)
		}
	})
}
