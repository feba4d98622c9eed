package evidence

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"stickwatch/probes"
)

// A Reader asks every source of evidence that a cluster's balancer has, again
// and again: of a log it reads what is new. It is not safe for concurrent use.
type Reader struct {
	timeout time.Duration
	log     *Follower // nil: there is none
	pages   []func(context.Context) probes.EvidenceObservation
}

// NewReader returns a reader for c. It opens nothing yet.
func NewReader(c *probes.Cluster) *Reader {
	sources := c.Balancer.Evidence
	r := &Reader{timeout: c.Limits.Timeout}
	if sources.NginxErrorLog != "" {
		r.log = Follow(sources.NginxErrorLog, NginxOptions{FailTimeout: c.Balancer.FailTimeout})
	}
	page := func(u *url.URL, read func(context.Context, *http.Client, *url.URL) probes.EvidenceObservation) {
		if u != nil {
			client := probes.NewClient(probes.Target{URL: u, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial}).HTTP()
			r.pages = append(r.pages, func(ctx context.Context) probes.EvidenceObservation { return read(ctx, client, u) })
		}
	}
	page(sources.HAProxyStats, func(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
		return HAProxyStats(ctx, client, u, "")
	})
	page(sources.ApacheStatus, ApacheStatus)
	page(sources.ApacheBalancerManager, ApacheBalancerManager)
	page(sources.CaddyAdmin, CaddyAdmin)
	return r
}

// Read asks all sources, side by side, and returns what each told.
func (r *Reader) Read(ctx context.Context) []probes.EvidenceObservation {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	readers := r.pages
	if r.log != nil {
		readers = append([]func(context.Context) probes.EvidenceObservation{func(ctx context.Context) probes.EvidenceObservation {
			return r.log.Read(ctx, time.Now())
		}}, readers...)
	}
	told := make([]probes.EvidenceObservation, len(readers))
	var wg sync.WaitGroup
	for i, read := range readers {
		wg.Go(func() { told[i] = read(ctx) })
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
