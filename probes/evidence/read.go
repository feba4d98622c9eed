package evidence

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"stickwatch/probes"
)

// Read asks every source that c's balancer has, side by side, and returns what
// each told.
func Read(ctx context.Context, c *probes.Cluster) []probes.EvidenceObservation {
	ctx, cancel := context.WithTimeout(ctx, c.Limits.Timeout)
	defer cancel()
	sources := c.Balancer.Evidence
	var readers []func() probes.EvidenceObservation
	if sources.NginxErrorLog != "" {
		readers = append(readers, func() probes.EvidenceObservation {
			return NginxErrorLog(ctx, sources.NginxErrorLog, time.Now(), NginxOptions{FailTimeout: c.Balancer.FailTimeout})
		})
	}
	page := func(u *url.URL, read func(context.Context, *http.Client, *url.URL) probes.EvidenceObservation) {
		if u != nil {
			client := probes.NewClient(probes.Target{URL: u, TLS: c.TLS, Timeout: c.Limits.Timeout}).HTTP()
			readers = append(readers, func() probes.EvidenceObservation { return read(ctx, client, u) })
		}
	}
	page(sources.HAProxyStats, func(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
		return HAProxyStats(ctx, client, u, "")
	})
	page(sources.ApacheStatus, ApacheStatus)
	page(sources.ApacheBalancerManager, ApacheBalancerManager)
	page(sources.CaddyAdmin, CaddyAdmin)

	told := make([]probes.EvidenceObservation, len(readers))
	var wg sync.WaitGroup
	for i, read := range readers {
		wg.Go(func() { told[i] = read() })
	}
	wg.Wait()
	return told
}
