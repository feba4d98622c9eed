// Package evidence reads the state of a balancer's servers from the balancer itself:
// the error log of nginx, and the status pages of HAProxy, Apache httpd and Caddy.
//
// Only the balancer reports an ejection that no probe has met. Its reports are evidence
// and no proof. A log may be configured to leave out ejections, which an observation
// has in NoAbsence. An nginx that serves files lets clients write whole lines into its
// error log, because it quotes a missing path with decoded line breaks. An ejection in
// the log should therefore be combined with the results of probes.
//
// Readers send GET requests only, without redirects and cookies, and bound bytes,
// entries and time. Errors never quote an answer, because that of a balancer manager
// contains the nonce with which the configuration can be changed.
package evidence

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A Reader reads all sources of evidence of a cluster's balancer repeatedly. Of a log
// it reads the new lines. It is not safe for concurrent use.
type Reader struct {
	timeout time.Duration
	log     *Follower // nil: there is none
	sources []source
}

// A source is one log or page of the balancer.
type source struct {
	kind     probes.EvidenceKind
	reading  panics.Runner
	readFunc func(context.Context) probes.EvidenceObservation
}

// read reads a source. One that panics or hangs cannot be read.
func (s source) read(ctx context.Context, timeout time.Duration) probes.EvidenceObservation {
	began := time.Now()
	var obs probes.EvidenceObservation
	if err := s.reading.Do(ctx, panics.Evidence, timeout, func(ctx context.Context) { obs = s.readFunc(ctx) }); err != nil {
		return probes.EvidenceObservation{Kind: s.kind, Source: string(s.kind), At: began, Error: err.Error()}
	}
	return obs
}

// NewReader returns a reader for c. It opens nothing yet.
func NewReader(c *probes.Cluster) *Reader {
	from := c.Balancer.Evidence
	reader := &Reader{timeout: c.Limits.Timeout}
	if from.NginxErrorLog != "" {
		reader.log = Follow(from.NginxErrorLog, NginxOptions{FailTimeout: c.Balancer.FailTimeout})
		reader.add(probes.EvidenceNginxErrorLog, func(ctx context.Context) probes.EvidenceObservation {
			return reader.log.Read(ctx, time.Now())
		})
	}
	page := func(kind probes.EvidenceKind, u *url.URL, read func(context.Context, *http.Client, *url.URL) probes.EvidenceObservation) {
		if u != nil {
			client := probes.NewClient(probes.Target{URL: u, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial}).HTTP()
			reader.add(kind, func(ctx context.Context) probes.EvidenceObservation { return read(ctx, client, u) })
		}
	}
	page(probes.EvidenceHAProxyStats, from.HAProxyStats, func(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
		return HAProxyStats(ctx, client, u, "")
	})
	page(probes.EvidenceApacheStatus, from.ApacheStatus, ApacheStatus)
	page(probes.EvidenceApacheBalancerManager, from.ApacheBalancerManager, ApacheBalancerManager)
	page(probes.EvidenceCaddyAdmin, from.CaddyAdmin, CaddyAdmin)
	return reader
}

func (r *Reader) add(kind probes.EvidenceKind, read func(context.Context) probes.EvidenceObservation) {
	r.sources = append(r.sources, source{kind, panics.NewRunner(), read})
}

// Read reads all sources concurrently, and returns an observation of each.
func (r *Reader) Read(ctx context.Context) []probes.EvidenceObservation {
	observations := make([]probes.EvidenceObservation, len(r.sources))
	var wg panics.Group
	for i, s := range r.sources {
		wg.Go(func() { observations[i] = s.read(ctx, r.timeout) })
	}
	wg.Wait()
	return observations
}

// Close closes the log, unless reading it hangs.
func (r *Reader) Close() error {
	for _, s := range r.sources {
		if s.kind == probes.EvidenceNginxErrorLog {
			var closing error
			if err := s.reading.Do(context.Background(), panics.Evidence, time.Second, func(context.Context) { closing = r.log.Close() }); err != nil {
				return err
			}
			return closing
		}
	}
	return nil
}
