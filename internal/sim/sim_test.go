package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// play runs a schedule in a bubble.
func play(t *testing.T, s Schedule) (r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

func TestTry(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	s := Random(seed, time.Hour, matching(os.Getenv("CLUSTERS")))
	fmt.Println(s)
	began := time.Now()
	r := play(t, s)
	fmt.Println("took", time.Since(began), "requests", len(r.Requests))
	for _, n := range r.Notices {
		fmt.Println(n.At.Sub(r.Began).Round(time.Millisecond), n.Kind, n.Incident.Severity, n.Incident.Cause.Key(), n.Incident.Cause.Summary)
	}
}
