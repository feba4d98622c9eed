package demo

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"stickwatch/internal/must"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A browser is a minimal browser. Every request opens a connection.
type browser struct {
	t      *testing.T
	client *http.Client
	header http.Header
}

// newBrowser returns a browser that sends the given header lines, "Name: value".
func newBrowser(t *testing.T, lines ...string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must.Succeed(t, err)
	v := &browser{t: t, header: make(http.Header), client: &http.Client{
		Jar:           jar,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		v.header.Set(name, value)
	}
	return v
}

// A reply is a complete answer.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

func (b *browser) try(ctx context.Context, method, url, body string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header = b.header.Clone()
	resp, err := b.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

func (b *browser) do(method, url, body string) reply {
	b.t.Helper()
	r, err := b.try(b.t.Context(), method, url, body)
	must.Succeed(b.t, err)
	return r
}

func (b *browser) get(url string) reply {
	b.t.Helper()
	return b.do(http.MethodGet, url, "")
}

func startNode(t *testing.T, c NodeConfig) *Node {
	t.Helper()
	n, err := StartNode(c)
	must.Succeed(t, err)
	t.Cleanup(n.Close)
	return n
}

// between returns the part of text between two markers.
func between(t *testing.T, text, after, before string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, after)
	value, _, ended := strings.Cut(rest, before)
	if !found || !ended {
		t.Fatalf("nothing between %q and %q in:\n%s", after, before, text)
	}
	return value
}
