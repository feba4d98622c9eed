package watch

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/internal/gate"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// A healthChecker sends direct requests to one node. It keeps cookies, because a new
// session several times a second would be a burden.
type healthChecker struct {
	client  *probes.Client
	http    *http.Client
	path    string
	timeout time.Duration
}

func newHealthChecker(c *probes.Cluster, n probes.Node) *healthChecker {
	client := probes.NewClient(c.NodeTarget(n))
	own := *client.HTTP()
	own.Jar, _ = cookiejar.New(nil) // never fails without options
	return &healthChecker{client, &own, c.PrimaryPath(), client.Target().Timeout}
}

func (h *healthChecker) sample(ctx context.Context) []gate.Sample {
	s := gate.Sample{At: time.Now()}
	_ = h.client.Admit(ctx, probes.RequestSequence{Path: h.path, Requests: 1}, func() (timedOut bool) { // fails only when the watch has ended
		s.At = time.Now()
		s.Status, s.Error, s.Own = h.check(ctx)
		s.Took = time.Since(s.At)
		return s.Error != "" && s.Took >= h.timeout
	})
	s.Good = s.Error == "" && s.Status < http.StatusInternalServerError
	return []gate.Sample{s}
}

// check returns the status of an answer, or the reason why there was none as one clean
// line, and whether it is a fault of this machine.
func (h *healthChecker) check(ctx context.Context) (status int, problem string, own bool) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := h.client.NewRequest(ctx, http.MethodGet, h.path)
	if err != nil {
		return 0, "its path is invalid", false
	}
	resp, err := h.http.Do(req)
	if err != nil {
		if probes.IsLocalError(err) {
			return 0, probes.Clean(err.Error(), probes.MaxError), true
		}
		return 0, "no answer", false
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, probes.MaxBody)); err != nil {
		return resp.StatusCode, "its answer broke off", false
	}
	return resp.StatusCode, "", false
}

// evidenceInterval is the interval at which the balancer's evidence is polled. Its
// pages are long and change rarely.
const evidenceInterval = time.Second

// pollEvidence records the balancer's evidence.
func (w *Watch) pollEvidence(ctx context.Context) {
	matcher := evidence.NewMatcher(w.cluster, w.record.Before.Nodes)
	for moment := time.Now(); sleep.Until(ctx, moment); moment = moment.Add(evidenceInterval) {
		observations := w.evidenceReader.Read(ctx)
		if ctx.Err() != nil || len(observations) == 0 {
			return // cancelled, or no evidence is configured
		}
		w.addEvidence(matcher, observations)
	}
}

// addEvidence records what all sources report about each node. A node that no source
// mentions keeps its state.
func (w *Watch) addEvidence(m evidence.Matcher, observations []probes.EvidenceObservation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.cluster.Nodes {
		records := m.Records(n, observations)
		if len(records) == 0 {
			continue
		}
		r := evidence.RotationOf(records)
		w.record.BalancerStates[n.ID] = gate.AddBalancerState(w.record.BalancerStates[n.ID], records[0].At, r.State, probes.Clean(r.Words, probes.MaxError))
	}
}
