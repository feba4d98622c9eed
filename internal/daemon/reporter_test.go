package daemon

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// TestShow: the page is told of whole rounds and of changes, and of calm rounds
// now and then.
func TestShow(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		judgement monitor.RoundResult
		last      time.Duration // ago, when the page was told last
		want      bool
	}{
		"a whole round":                {monitor.RoundResult{Full: true}, 0, true},
		"a calm round":                 {monitor.RoundResult{}, 0, false},
		"a calm round after a while":   {monitor.RoundResult{}, time.Minute, true},
		"a calm round with changes":    {monitor.RoundResult{Changes: []checks.Change{{Kind: checks.Gone}}}, 0, true},
		"a calm round without changes": {monitor.RoundResult{Changes: []checks.Change{}}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &reporter{page: web.NewLive()}
			r.pageUpdated.Store("shop", time.Now().Add(-tt.last))
			tt.judgement.Cluster = &probes.Cluster{Name: "shop"}
			before := r.page.Revision()
			r.show(tt.judgement)
			if got := r.page.Revision() != before; got != tt.want {
				t.Errorf("got the page told to be %t, want %t", got, tt.want)
			}
		})
	}
}
