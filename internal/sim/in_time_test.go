package sim

import "testing"

// TestInTime plays faults for which a monitor might wait too long: requests that hang,
// a round that lasts, a client that is new. Users are harmed at once, and the
// notification must come within the bound of Late.
func TestInTime(t *testing.T) {
	for name, text := range map[string]string{
		"a machine that is gone, behind a balancer that waits": `
			cluster random/shared/generic nodes=4 workers=4 zone=false max_fails=3 fail_timeout=10s timeout=5s
			length 6m
			3m10s machine node3 for 1m10s`,
		"a machine that goes while a round looks for an ejected node": `
			cluster httpd-sticky/replicated/tomcat nodes=4 workers=2 zone=false max_fails=2 fail_timeout=10s timeout=1m
			length 6m
			3m10s machine node2 for 1m10s`,
		"a node that is slower than the balancer waits": `
			cluster httpd-sticky/replicated/tomcat nodes=4 workers=3 zone=false max_fails=1 fail_timeout=20s timeout=1s
			length 6m
			3m19.9s slow node3 for 1m10s`,
		"a cache that gives clients each other's session": `
			cluster haproxy-leastconn/shared/generic nodes=3 workers=4 zone=true max_fails=2 fail_timeout=20s timeout=1s
			length 6m
			3m40.7s cache for 1m`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSchedule(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Seed = 9013
			r := play(t, s)
			if score := r.Score(); score.Harms == 0 || score.Count(Late)+score.Count(Silent)+score.Count(False) > 0 {
				t.Errorf("got %d harms, want some, and each notified in time:\n%s", score.Harms, r.Transcript())
			}
		})
	}
}
