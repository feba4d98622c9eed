package checks_test

import (
	"fmt"
	"slices"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// BenchmarkJudge: the largest round there is, twenty nodes and 300 new clients
// at one address, of which twenty come back sixty times.
func BenchmarkJudge(b *testing.B) {
	crowd := func(scatter bool) *round {
		r := empty(20)
		for w := range checks.MaxFreshClients {
			home := w % 20
			labels := []string{r.Cluster.Nodes[home].ID}
			for s := range 60 {
				if w >= 20 {
					break
				}
				at := home
				if scatter {
					at = (home + s) % 20
				}
				labels = append(labels, r.Cluster.Nodes[at].ID)
			}
			r.visit(labels...)
		}
		return r
	}
	hash := from(func() *round { return hashed(20, 3, 7) }, func(r *round) {
		b := &r.Cluster.Balancer
		b.Method, b.HashKey, b.Consistent = probes.MethodHash, "$remote_addr", true
	})
	for name, r := range map[string]*round{"healthy": crowd(false), "scattered": crowd(true), "hashed": hash(), "failing": silentCrowd()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				checks.Judge(r.Round)
			}
		})
	}
}

// silentCrowd is 300 clients that all got an error, and as many new labels as
// there are nodes.
func silentCrowd() *round {
	r := empty(20)
	for i := range checks.MaxFreshClients {
		w := r.visit(slices.Repeat([]string{fmt.Sprintf("10.0.0.%d:8080, 10.0.0.99:8080", i%20+1)}, 5)...)
		for s := range w.Steps {
			w.Steps[s].Status = 502
		}
	}
	return r
}
