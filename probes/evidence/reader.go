// Package evidence reads what balancers tell about their own servers: the
// error log of nginx, and the status pages of HAProxy, Apache httpd and Caddy.
//
// It is the only way to see an ejection that no probe has run into. It is
// evidence, not truth: a log may be set to leave out what is looked for, which
// an observation says in Silent, and an nginx that serves files lets clients
// write whole lines of its error log (it quotes the path that was not found
// with its line breaks decoded), so that an ejection which is read there is
// worth acting on only together with what was probed.
//
// Readers only ask: GET, no redirects, no cookies, bounded in bytes, entries
// and time. Errors never quote an answer, for a balancer manager's holds the
// nonce by which its reader could change the configuration.
package evidence

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A Reader asks every source of evidence that a cluster's balancer has, again
// and again: of a log it reads what is new. It is not safe for concurrent use.
type Reader struct {
	timeout time.Duration
	log     *Follower // nil: there is none
	sources []source
}

// A source is one place where the balancer tells about its servers.
type source struct {
	kind     probes.EvidenceKind
	readFunc func(context.Context) probes.EvidenceObservation
}

// ask reads a source, where a panic is a source that cannot be read.
func (s source) read(ctx context.Context) (obs probes.EvidenceObservation) {
	began := time.Now()
	if err := panics.Catch(panics.Evidence, func() { obs = s.readFunc(ctx) }); err != nil {
		return probes.EvidenceObservation{Kind: s.kind, Source: string(s.kind), At: began, Error: err.Error()}
	}
	return obs
}

// NewReader returns a reader for c. It opens nothing yet.
func NewReader(c *probes.Cluster) *Reader {
	from := c.Balancer.Evidence
	r := &Reader{timeout: c.Limits.Timeout}
	if from.NginxErrorLog != "" {
		r.log = Follow(from.NginxErrorLog, NginxOptions{FailTimeout: c.Balancer.FailTimeout})
		r.add(probes.EvidenceNginxErrorLog, func(ctx context.Context) probes.EvidenceObservation {
			return r.log.Read(ctx, time.Now())
		})
	}
	page := func(kind probes.EvidenceKind, u *url.URL, read func(context.Context, *http.Client, *url.URL) probes.EvidenceObservation) {
		if u != nil {
			client := probes.NewClient(probes.Target{URL: u, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial}).HTTP()
			r.add(kind, func(ctx context.Context) probes.EvidenceObservation { return read(ctx, client, u) })
		}
	}
	page(probes.EvidenceHAProxyStats, from.HAProxyStats, func(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
		return HAProxyStats(ctx, client, u, "")
	})
	page(probes.EvidenceApacheStatus, from.ApacheStatus, ApacheStatus)
	page(probes.EvidenceApacheBalancerManager, from.ApacheBalancerManager, ApacheBalancerManager)
	page(probes.EvidenceCaddyAdmin, from.CaddyAdmin, CaddyAdmin)
	return r
}

func (r *Reader) add(kind probes.EvidenceKind, read func(context.Context) probes.EvidenceObservation) {
	r.sources = append(r.sources, source{kind, read})
}

// Read asks all sources, side by side, and returns what each told.
func (r *Reader) Read(ctx context.Context) []probes.EvidenceObservation {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	told := make([]probes.EvidenceObservation, len(r.sources))
	var wg panics.Group
	for i, s := range r.sources {
		wg.Go(func() { told[i] = s.read(ctx) })
	}
	wg.Wait()
	return told
}

// Close closes the log.
func (r *Reader) Close() error {
	if r.log == nil {
		return nil
	}
	return r.log.Close()
}
