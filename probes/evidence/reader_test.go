package evidence

import (
	"context"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/probes"
)

// TestHangingLog has a log whose reading hangs, as that of a file server that is gone does. Rounds
// go on without it.
func TestHangingLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewReader(&probes.Cluster{
			Limits:   probes.Limits{Timeout: 5 * time.Second},
			Balancer: probes.Balancer{URLs: []*url.URL{{Scheme: "http", Host: "lb"}}, Evidence: probes.EvidenceSources{NginxErrorLog: "error.log"}},
		})
		hangs := make(chan struct{})
		read := r.sources[0].readFunc
		r.sources[0].readFunc = func(ctx context.Context) probes.EvidenceObservation {
			<-hangs
			return read(ctx)
		}
		for range 2 {
			began := time.Now()
			if got := r.Read(t.Context()); got[0].Error != "it does not answer" || time.Since(began) > 10*time.Second {
				t.Errorf("got %+v after %s", got[0], time.Since(began))
			}
		}
		if err := r.Close(); err == nil {
			t.Error("the log was closed while it was read")
		}
		close(hangs)
		synctest.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
