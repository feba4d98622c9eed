package daemon

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
)

// A siteRig is a fleet with three sites, of one instance each, whose ways to the balancer can be cut.
type siteRig struct {
	*fleetRig
	ways map[string]*cable // by instance
}

var siteOf = map[string]string{"a": "beijing", "b": "shanghai", "c": "tokyo"}

func newSiteRig(t *testing.T) *siteRig {
	t.Helper()
	f := &siteRig{newFleetRig(t, 1), make(map[string]*cable)}
	balancer, err := url.Parse(f.Balancer.URL())
	if err != nil {
		t.Fatal(err)
	}
	f.edit = func(name, text string) string {
		text = strings.ReplaceAll(text, balancer.Host, f.ways[name].Addr().String())
		text = strings.Replace(text, "    timeout: 1s\n", "    timeout: 1s\n    sites: [beijing, shanghai, tokyo]\n", 1)
		return strings.Replace(text, "fleet: {", "fleet: {site: "+siteOf[name]+", ", 1)
	}
	for name := range siteOf {
		f.ways[name] = newCable(t, balancer.Host)
		f.start(t, name)
	}
	return f
}

// verdicts returns the verdict of each cluster and view that an instance shows.
func (f *siteRig) verdicts(t *testing.T, name string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, c := range f.running[name].shown(t) {
		all[c.Name] = c.Verdict
	}
	return all
}

// open returns the causes of the open incidents, sorted.
func (f *siteRig) open(t *testing.T) (causes []string) {
	t.Helper()
	f.state(t)
	list, err := f.reader.Incidents(t.Context(), history.IncidentQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.State != alerting.Resolved {
			causes = append(causes, i.Cluster+" "+i.Cause.Key())
		}
	}
	slices.Sort(causes)
	return causes
}

// TestFleetSites: a cluster is watched from each of its sites. What one of them alone sees is a
// disagreement, what two of three see is the finding, and who is not heard any more is not counted.
func TestFleetSites(t *testing.T) {
	f := newSiteRig(t)
	const patience = 3 * time.Minute
	all := func(is string) func() bool {
		return func() bool {
			for name := range f.running {
				got := f.verdicts(t, name)
				for _, view := range []string{"", "@beijing", "@shanghai", "@tokyo"} {
					if got["cluster0"+view] != is {
						return false
					}
				}
			}
			return true
		}
	}
	await(t, patience, "all is well at each instance, from each site", all("healthy"))
	f.ways["b"].cut(true)
	await(t, patience, "shanghai fails", func() bool { return f.verdicts(t, "a")["cluster0@shanghai"] == "failing" })
	await(t, patience, "shanghai disagrees", func() bool {
		got := f.open(t)
		if slices.ContainsFunc(got, func(cause string) bool { return !strings.Contains(cause, "site_disagreement/shanghai") }) {
			t.Fatalf("got incidents %q of what one site sees", got)
		}
		return len(got) == 1
	})
	await(t, patience, "the cluster is degraded", func() bool { return f.verdicts(t, "c")["cluster0"] == "degraded" })
	f.ways["c"].cut(true)
	await(t, patience, "what two sites see is an incident", func() bool {
		return slices.ContainsFunc(f.open(t), func(cause string) bool { return strings.HasPrefix(cause, "cluster0 balancer_down") })
	})
	f.ways["b"].cut(false)
	f.ways["c"].cut(false)
	await(t, patience, "all incidents end", func() bool { return len(f.open(t)) == 0 })
	await(t, patience, "all is well again", all("healthy"))
	f.running["a"].kill()
	delete(f.running, "a")
	await(t, patience, "beijing is not heard any more", func() bool { return f.verdicts(t, "b")["cluster0@beijing"] == "inconclusive" })
	await(t, patience, "two of three decide", func() bool { return f.verdicts(t, "b")["cluster0"] == "healthy" })
	f.running["c"].kill()
	delete(f.running, "c")
	await(t, patience, "one of three does not know", func() bool { return f.verdicts(t, "b")["cluster0"] == "inconclusive" })
	if got := f.open(t); len(got) > 0 {
		t.Errorf("got incidents %q after monitors were lost", got)
	}
}
