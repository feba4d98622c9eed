package vigil

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A knocker asks one node directly whether it answers. It keeps the cookies it
// is given: several times a second, a new session each time would be a burden.
type knocker struct {
	client  *probes.Client
	http    *http.Client
	path    string
	timeout time.Duration
}

func newKnocker(c *probes.Cluster, n probes.Node) *knocker {
	client := probes.NewClient(c.NodeTarget(n))
	own := *client.HTTP()
	own.Jar, _ = cookiejar.New(nil) // it has no error without options
	return &knocker{client, &own, c.PrimaryPath(), client.Target().Timeout}
}

func (k *knocker) visit(ctx context.Context) []gate.Beat {
	b := gate.Beat{At: time.Now()}
	_ = k.client.Admit(ctx, probes.Errand{Path: k.path, Requests: 1}, func() (timedOut bool) { // its error is that the watch ended
		b.At = time.Now()
		b.Status, b.Error = k.ask(ctx)
		b.Took = time.Since(b.At)
		return b.Error != "" && b.Took >= k.timeout
	})
	b.Good = b.Error == "" && b.Status < http.StatusInternalServerError
	return []gate.Beat{b}
}

// ask returns the status of an answer, or why there was none in one clean line.
func (k *knocker) ask(ctx context.Context) (status int, problem string) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	req, err := k.client.NewRequest(ctx, http.MethodGet, k.path)
	if err != nil {
		return 0, "its path cannot be asked for"
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return 0, "no answer"
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, probes.MaxBody)); err != nil {
		return resp.StatusCode, "its answer broke off"
	}
	return resp.StatusCode, ""
}
