package probes_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

// member returns a gzip member of a text.
func member(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	w.Close()
	return b.Bytes()
}

func TestGzip(t *testing.T) {
	var body atomic.Pointer[func(io.Writer)]
	sent := make(chan int, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("got Accept-Encoding %q, want gzip", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		counted := &counter{Writer: w}
		(*body.Load())(counted)
		sent <- counted.n
	}))
	defer server.Close()
	u := must.URL(server.URL)
	write := func(parts ...[]byte) func(io.Writer) {
		return func(w io.Writer) {
			for _, part := range parts {
				_, _ = w.Write(part)
			}
		}
	}
	endless := func(part []byte) func(io.Writer) {
		return func(w io.Writer) {
			for {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		}
	}
	stored := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 1<<20)...) // empty blocks
	for name, tc := range map[string]struct {
		body func(io.Writer)
		want string
		fail string
		most int // bytes that the server can write; 0: any
	}{
		"one member":     {write(member("page")), "page", "", 0},
		"two members":    {write(member("pa"), member("ge")), "page", "", 0},
		"empty between":  {write(member("pa"), member(""), member("ge")), "page", "", 0},
		"nothing":        {write(), "", "", 0},
		"cut":            {write(member("page")[:12]), "", "unexpected EOF", 0},
		"no gzip":        {write([]byte("page is plain")), "", "gzip: invalid header", 0},
		"endless empty":  {endless(member("")), "", "too many parts", 8 << 20},
		"endless blocks": {endless(stored), "", "is too long", 16 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			body.Store(&tc.body)
			client := probes.NewClient(probes.Target{URL: u})
			req, err := client.NewRequest(t.Context(), http.MethodGet, "/")
			must.Succeed(t, err)
			resp, err := client.HTTP().Do(req)
			must.Succeed(t, err)
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			failed := err != nil
			if failed != (tc.fail != "") || failed && !strings.Contains(err.Error(), tc.fail) {
				t.Errorf("got %v, want %q", err, tc.fail)
			}
			if !failed && string(got) != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if n := <-sent; tc.most > 0 && n > tc.most {
				t.Errorf("the server got rid of %d bytes, want at most %d", n, tc.most)
			}
		})
	}
}

// A counter counts the bytes that are written.
type counter struct {
	io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += n
	return n, err
}
