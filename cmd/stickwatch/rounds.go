package main

import (
	"cmp"
	"context"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/monitor"
	"stickwatch/internal/panics"
	"stickwatch/internal/render"
	"stickwatch/probes"
	"stickwatch/probes/engineio"
	"stickwatch/probes/memcached"
	"stickwatch/probes/mysql"
	"stickwatch/probes/postgres"
	"stickwatch/probes/redis"
)

// newProber returns a prober that speaks every protocol there is a client for.
func newProber() *monitor.Prober {
	return &monitor.Prober{
		Handshake: engineio.Handshake,
		Pingers: map[string]probes.Pinger{
			"redis": redis.Ping, "rediss": redis.Ping, "mysql": mysql.Ping, "mariadb": mysql.Ping,
			"postgres": postgres.Ping, "postgresql": postgres.Ping, "memcached": memcached.Ping,
			"tcp": probes.PingTCP,
		},
	}
}

// prober returns one that asks what the flags want to know.
func (o *probeOptions) prober(line *statusLine) *monitor.Prober {
	p := newProber()
	p.Confidence, p.ExpectVersion, p.Progress = o.confidence.value, o.expectVersion, line.unlessWaiting
	for _, code := range o.ignore {
		p.Ignore = append(p.Ignore, checks.Code(code))
	}
	return p
}

// roundsUntil takes one picture, or as many as --wait gives time for until nothing
// is lacking. It returns the last whole one, with what that lacks; an
// interruption may leave none.
func (o *probeOptions) roundsUntil(ctx context.Context, clusters []*probes.Cluster, line *statusLine) (last render.Results, unmet []gate.Unmet, complete bool) {
	p := o.prober(line)
	every := cmp.Or(o.interval.value, pollInterval)
	unmet = o.await(ctx, clusters, line, every, func(ctx context.Context) ([]checks.Report, bool) {
		r := takeRounds(ctx, p, clusters)
		if ctx.Err() != nil {
			return nil, false
		}
		last, complete = r, true
		return r.Clusters, true
	})
	return last, unmet, complete
}

// retry tries at once, after every interval, and a last time when wait is over,
// until one try is the last or ctx is done. It tells when it waits.
func retry(ctx context.Context, wait, interval time.Duration, try func() (done bool), waiting func()) {
	deadline := time.Now().Add(wait)
	for !try() {
		left := time.Until(deadline)
		if left <= 0 {
			return
		}
		waiting()
		if !pause(ctx, min(interval, left)) {
			return
		}
	}
}

// takeRounds takes one picture of all clusters, side by side.
func takeRounds(ctx context.Context, p *monitor.Prober, clusters []*probes.Cluster) render.Results {
	r := render.Results{Started: time.Now(), Clusters: make([]checks.Report, len(clusters))}
	var wg panics.Group
	for i, c := range clusters {
		wg.Go(func() { r.Clusters[i] = checks.Judge(p.Round(ctx, c)) })
	}
	wg.Wait()
	r.Duration = time.Since(r.Started)
	return r
}

// pause waits for d, and reports whether nothing ended it before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
