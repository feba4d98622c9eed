package checks_test

import (
	"slices"
	"testing"

	"stickwatch/checks"
)

// families are the specifications, a file each.
var families = map[string][]spec{
	"balancers":    balancerSpecs,
	"nodes":        nodeSpecs,
	"dependencies": dependencySpecs,
	"pages":        pageSpecs,
	"sessions":     sessionSpecs,
	"sharing":      sharingSpecs,
	"handshakes":   handshakeSpecs,
	"rotation":     rotationSpecs,
	"failing":      failingSpecs,
	"split":        splitSpecs,
	"identities":   identitySpecs,
	"consistency":  consistencySpecs,
	"latency":      latencySpecs,
	"blind spots":  blindSpotSpecs,
	"inference":    inferenceSpecs,
}

func TestFindings(t *testing.T) {
	for family, specs := range families {
		for _, s := range specs {
			t.Run(family+"/"+s.name, s.check)
		}
	}
}

// TestEveryCode: each code that a single round can tell has a spec that finds
// it.
func TestEveryCode(t *testing.T) {
	var found []checks.Code
	for _, specs := range families {
		for _, s := range specs {
			for _, line := range s.want {
				found = append(found, codeOf(line))
			}
		}
	}
	for _, e := range checks.Catalogue {
		told := slices.Contains(found, e.Code)
		if e.Code == checks.NodeRestarted {
			if told {
				t.Errorf("%s is told from one round, which takes two", e.Code)
			}
		} else if !told {
			t.Errorf("no spec finds %s", e.Code)
		}
	}
	for _, code := range found {
		if !checks.Known(code) {
			t.Errorf("a spec wants %q, which is no code", code)
		}
	}
}

func TestHealthyRound(t *testing.T) {
	for name, r := range map[string]*round{"a cookie": healthy(), "an aimed hash": hashed(3), "two nodes": hashed(2)} {
		t.Run(name, func(t *testing.T) {
			report := checks.Judge(r.Round)
			if report.Verdict != checks.Healthy || len(report.Findings)+len(report.Doubts) > 0 {
				t.Errorf("got %s, findings %q, doubts %q, want a healthy cluster", report.Verdict, tellAll(report), report.Doubts)
			}
		})
	}
}
