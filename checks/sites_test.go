package checks

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"stickwatch/probes"
)

var siteTime = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// from returns the view of a site that reports, with active findings.
func from(site string, codes ...Code) SiteView {
	v := SiteView{Site: site, Recent: true}
	for _, code := range codes {
		f := ActiveFinding{Finding: Finding{Code: code, Severity: Critical, Summary: Quote(string(code))}, Since: siteTime}
		v.Active = append(v.Active, f)
	}
	return v
}

func silentSite(site string) SiteView { return SiteView{Site: site} }

// keysOf returns the keys of active findings, sorted.
func keysOf(active []ActiveFinding) (keys []string) {
	for _, f := range active {
		keys = append(keys, f.Key())
	}
	slices.Sort(keys)
	return keys
}

// TestSiteLedger: what the majority sees is the finding, what one site alone sees for a while is a
// disagreement, and what an answer proves needs one site.
func TestSiteLedger(t *testing.T) {
	tests := []struct {
		name    string
		views   []SiteView
		at      time.Duration // after the same views were seen first
		want    []string
		verdict Verdict
	}{
		{"well", []SiteView{from("a"), from("b"), from("c")}, 0, nil, Healthy},
		{"all", []SiteView{from("a", BalancerDown), from("b", BalancerDown), from("c", BalancerDown)}, 0, []string{"balancer_down"}, Failing},
		{"two of three", []SiteView{from("a", BalancerDown), from("b", BalancerDown), from("c")}, 0, []string{"balancer_down"}, Failing},
		{"one of three, at first", []SiteView{from("a", BalancerDown), from("b"), from("c")}, 59 * time.Second, nil, Healthy},
		{"one of three", []SiteView{from("a", BalancerDown), from("b"), from("c")}, time.Minute, []string{"site_disagreement/a"}, Degraded},
		{"one of two", []SiteView{from("a", BalancerDown), from("b")}, time.Minute, []string{"site_disagreement/a"}, Degraded},
		{"two of four", []SiteView{from("a", BalancerDown), from("b", BalancerDown), from("c"), from("d")}, time.Minute, []string{"site_disagreement/a", "site_disagreement/b"}, Degraded},
		{"two of three, one silent", []SiteView{from("a", BalancerDown), from("b", BalancerDown), silentSite("c")}, 0, []string{"balancer_down"}, Failing},
		{"one of three, one silent", []SiteView{from("a", BalancerDown), from("b"), silentSite("c")}, time.Minute, []string{"site_disagreement/a"}, Degraded},
		{"the only one of two that reports, at first", []SiteView{from("a", BalancerDown), silentSite("b")}, 59 * time.Second, nil, Inconclusive},
		{"the only one of two that reports", []SiteView{from("a", BalancerDown), silentSite("b")}, time.Minute, []string{"balancer_down"}, Failing},
		{"the only one of two, an answer proves it", []SiteView{from("a", SessionLost), silentSite("b")}, 0, []string{"session_lost"}, Failing},
		{"the only one of two sees nothing", []SiteView{from("a"), silentSite("b")}, 0, nil, Inconclusive},
		{"none reports", []SiteView{silentSite("a"), silentSite("b")}, 0, nil, Inconclusive},
		{"an answer proves it", []SiteView{from("a", SessionLost), from("b"), from("c")}, 0, []string{"session_lost"}, Failing},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := NewSiteLedger(time.Minute)
			l.Update(siteTime, test.views)
			l.Update(siteTime.Add(test.at), test.views)
			if got := keysOf(l.Active()); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if got := l.ReportOf("shop", test.views); got.Verdict != test.verdict || got.Cluster != "shop" {
				t.Errorf("got verdict %s of %s, want %s", got.Verdict, got.Cluster, test.verdict)
			}
		})
	}
}

// TestSiteLedgerChanges: a finding appears and ends once, however many sites see it, and starts when
// enough sites saw it.
func TestSiteLedgerChanges(t *testing.T) {
	l := NewSiteLedger(time.Minute)
	at := siteTime
	update := func(views ...SiteView) (kinds []ChangeKind) {
		at = at.Add(5 * time.Second)
		for _, c := range l.Update(at, views) {
			kinds = append(kinds, c.Kind)
		}
		return kinds
	}
	later := from("b", NodeDown)
	later.Active[0].Since = siteTime.Add(time.Minute)
	steps := []struct {
		views []SiteView
		want  []ChangeKind
	}{
		{[]SiteView{from("a", NodeDown), from("b"), from("c")}, nil},
		{[]SiteView{from("a", NodeDown), later, from("c")}, []ChangeKind{Appeared}},
		{[]SiteView{from("a", NodeDown), later, from("c", NodeDown)}, nil},
		{[]SiteView{silentSite("a"), silentSite("b"), silentSite("c")}, nil},
		{[]SiteView{from("a"), later, silentSite("c")}, []ChangeKind{Gone}},
		{[]SiteView{from("a"), from("b"), from("c")}, nil},
	}
	for n, step := range steps {
		if got := update(step.views...); !slices.Equal(got, step.want) {
			t.Errorf("step %d: got %v, want %v", n, got, step.want)
		}
		if a := l.Active(); n == 2 && !a[0].Since.Equal(later.Active[0].Since) {
			t.Errorf("got a start at %s, want when the second site saw it", a[0].Since)
		}
	}
}

// TestSiteEvent: an event whose moment each site estimates appears once, whichever of them reports,
// and again when it has happened again at one of them.
func TestSiteEvent(t *testing.T) {
	restarted := func(site string, at time.Duration) SiteView {
		v := from(site, NodeRestarted)
		v.Active[0].When = siteTime.Add(at)
		v.Active[0].Since = siteTime.Add(at + time.Second)
		return v
	}
	a, b := restarted("a", 0), restarted("b", 2*time.Second)
	steps := []struct {
		views []SiteView
		since time.Duration
		want  int // changes
	}{
		{[]SiteView{a, b}, time.Second, 1},
		{[]SiteView{silentSite("a"), b}, time.Second, 0},
		{[]SiteView{a, b}, time.Second, 0},
		{[]SiteView{a, silentSite("b")}, time.Second, 0},
		{[]SiteView{a, restarted("b", 90*time.Second)}, 91 * time.Second, 1},
		{[]SiteView{a, silentSite("b")}, 91 * time.Second, 0},
		{[]SiteView{restarted("a", 88*time.Second), silentSite("b")}, 91 * time.Second, 0},
	}
	l := NewSiteLedger(time.Minute)
	for n, step := range steps {
		changes := l.Update(siteTime.Add(2*time.Minute), step.views)
		if len(changes) != step.want || step.want == 1 && changes[0].Kind != Appeared {
			t.Errorf("step %d: got changes %+v, want %d", n, changes, step.want)
		}
		if got := l.Active()[0].Since; !got.Equal(siteTime.Add(step.since)) {
			t.Errorf("step %d: got a start at %s", n, got)
		}
	}
}

// TestSiteSilent: what others have contradicted for long does not become a finding when they fall
// silent; but what they have not contradicted for long does, and what another site sees, too.
func TestSiteSilent(t *testing.T) {
	both, alone := []SiteView{from("a", BalancerDown), from("b")}, []SiteView{from("a", BalancerDown), silentSite("b")}
	for length, want := range map[time.Duration]string{30 * time.Second: "balancer_down", time.Hour: "site_disagreement/a"} {
		l := NewSiteLedger(time.Minute)
		l.Update(siteTime.Add(-time.Hour), []SiteView{from("a"), from("b")})
		l.Update(siteTime, both)
		l.Update(siteTime.Add(length), both)
		l.Update(siteTime.Add(length), alone)
		if got := keysOf(l.Active()); !slices.Equal(got, []string{want}) {
			t.Errorf("got %v after %s, want %s", got, length, want)
		}
		l.Update(siteTime.Add(length), []SiteView{from("a", BalancerDown), from("b", BalancerDown)})
		if got := keysOf(l.Active()); !slices.Equal(got, []string{"balancer_down"}) {
			t.Errorf("got %v when both see it", got)
		}
	}
}

// TestSiteSilentOfFour: where most sites still report, those decide, whatever a silent one said.
func TestSiteSilentOfFour(t *testing.T) {
	l := NewSiteLedger(time.Minute)
	views := []SiteView{from("a", BalancerDown), from("b", BalancerDown), from("c"), from("d")}
	l.Update(siteTime, views)
	l.Update(siteTime.Add(time.Hour), views)
	views[3] = silentSite("d")
	l.Update(siteTime.Add(time.Hour), views)
	if got := keysOf(l.Active()); !slices.Equal(got, []string{"balancer_down"}) {
		t.Errorf("got %v, want what two of the three that report see", got)
	}
}

// TestSiteLedgerRestored: a disagreement that was active goes on after a takeover.
func TestSiteLedgerRestored(t *testing.T) {
	before := NewSiteLedger(time.Minute)
	views := []SiteView{from("a", BalancerDown), from("b")}
	before.Update(siteTime, views)
	before.Update(siteTime.Add(time.Minute), views)
	l := NewSiteLedger(time.Minute, before.Active()...)
	if changes := l.Update(siteTime.Add(2*time.Minute), views); len(changes) > 0 {
		t.Errorf("got changes %+v", changes)
	}
	if changes := l.Update(siteTime.Add(2*time.Minute), []SiteView{from("a"), from("b")}); len(changes) != 1 || changes[0].Kind != Gone {
		t.Errorf("got changes %+v, want its end", changes)
	}
}

// at returns the view of a site that probes some addresses of the balancer and sees something at one.
func (v SiteView) at(target, node string, addresses ...string) SiteView {
	for _, address := range addresses {
		v.Report.Balancers = append(v.Report.Balancers, probes.BalancerObservation{URL: "http://shop/", Address: netip.MustParseAddrPort(address)})
	}
	for n := range v.Active {
		v.Active[n].Target, v.Active[n].Node = target, node
	}
	return v
}

// TestSiteStart: after a start or a takeover, the sites that report first do not decide before the
// others had time to report.
func TestSiteStart(t *testing.T) {
	down, well := from("a", BalancerDown), from("a")
	t.Run("a minority reports first", func(t *testing.T) {
		l := NewSiteLedger(time.Minute)
		l.Update(siteTime, []SiteView{down, silentSite("b"), silentSite("c")})
		l.Update(siteTime.Add(59*time.Second), []SiteView{down, silentSite("b"), silentSite("c")})
		if got := l.Active(); len(got) > 0 {
			t.Errorf("got %v", keysOf(got))
		}
		l.Update(siteTime.Add(time.Minute), []SiteView{down, from("b"), from("c")})
		if got := l.Active(); len(got) > 0 {
			t.Errorf("got %v when the others report", keysOf(got))
		}
	})
	t.Run("others fall silent soon", func(t *testing.T) { // they had no time to contradict
		l := NewSiteLedger(time.Minute)
		l.Update(siteTime, []SiteView{down, from("b")})
		for _, at := range []time.Duration{10 * time.Second, time.Minute} {
			l.Update(siteTime.Add(at), []SiteView{down, silentSite("b")})
		}
		if got := keysOf(l.Active()); !slices.Equal(got, []string{"balancer_down"}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("what was active stays", func(t *testing.T) {
		l := NewSiteLedger(time.Minute, from("", BalancerDown, SessionLost).Active...)
		for _, views := range [][]SiteView{{well, silentSite("b"), silentSite("c")}, {down, silentSite("b"), silentSite("c")}} {
			if changes := l.Update(siteTime, views); len(changes) > 0 {
				t.Errorf("got changes %+v", changes)
			}
		}
		if changes := l.Update(siteTime.Add(time.Minute), []SiteView{well, silentSite("b"), silentSite("c")}); len(changes) != 2 || changes[0].Kind != Gone {
			t.Errorf("got changes %+v, want that it ends", changes)
		}
	})
}

// TestSiteContradictedRestored: what others had contradicted for long before a takeover does not become
// a finding because they are silent; what began later does, and what an answer proves.
func TestSiteContradictedRestored(t *testing.T) {
	before := NewSiteLedger(time.Minute)
	for _, at := range []time.Duration{0, time.Hour} {
		before.Update(siteTime.Add(at), []SiteView{from("a", BalancerDown), from("b")})
	}
	views := []SiteView{from("a", BalancerDown, BalancerError, SessionLost), silentSite("b")}
	takeover := siteTime.Add(time.Hour)
	views[0].Active[1].Since = takeover.Add(-time.Second)
	l := NewSiteLedger(time.Minute, before.Active()...)
	for _, at := range []time.Duration{0, 2 * time.Minute, time.Hour} {
		l.Update(takeover.Add(at), views)
		want := []string{"balancer_error", "session_lost", "site_disagreement/a"}
		if at == 0 {
			want = want[1:]
		}
		if got := keysOf(l.Active()); !slices.Equal(got, want) {
			t.Errorf("got %v %s after the takeover, want %v", got, at, want)
		}
	}
}

// TestSiteAddresses: what sites see at addresses of their own is one trouble; what they see at
// addresses, pages or nodes that others find healthy is not.
func TestSiteAddresses(t *testing.T) {
	const one, two, three = "192.0.2.1:80", "192.0.2.2:80", "192.0.2.3:80"
	tests := []struct {
		name  string
		views []SiteView
		want  int // findings besides disagreements
	}{
		{"down at each site's address", []SiteView{
			from("a", BalancerDown).at("http://shop/ ("+one+")", "", one),
			from("b", BalancerDown).at("http://shop/ ("+two+")", "", two), from("c").at("", "", three),
		}, 2},
		{"slow at each site's address", []SiteView{from("a", Slow).at("http://shop/ ("+one+")", "", one), from("b", Slow).at("http://shop/ ("+two+")", "", two)}, 2},
		{"a node is out at one address of each site", []SiteView{
			from("a", NodeEjected).at("http://shop/ ("+one+")", "node2", one),
			from("b", NodeEjected).at("http://shop/ ("+two+")", "node2", two, three),
		}, 2},
		{"another node is out", []SiteView{
			from("a", NodeEjected).at("http://shop/ ("+one+")", "node2", one),
			from("b", NodeEjected).at("http://shop/ ("+two+")", "node1", two),
		}, 0},
		{"a page at each site's address", []SiteView{
			from("a", PageFailing).at("http://shop/cart ("+one+")", "", one), from("b", PageFailing).at("http://shop/cart ("+two+")", "", two),
		}, 2},
		{"another page at each site's address", []SiteView{
			from("a", PageFailing).at("http://shop/cart ("+one+")", "", one), from("b", PageFailing).at("http://shop/login ("+two+")", "", two),
		}, 0},
		{"another page at a common address", []SiteView{
			from("a", PageFailing).at("http://shop/cart ("+one+")", "", one),
			from("b", PageFailing).at("http://shop/login ("+one+")", "", one), from("c").at("", "", one),
		}, 0},
		{"another common address", []SiteView{
			from("a", BalancerDown).at("http://shop/ ("+one+")", "", one, two),
			from("b", BalancerDown).at("http://shop/ ("+two+")", "", one, two), from("c").at("", "", one, two),
		}, 0},
		{"an address that one site finds well", []SiteView{
			from("a", BalancerDown).at("http://shop/ ("+one+")", "", one),
			from("b", BalancerDown).at("http://shop/ ("+two+")", "", one, two),
		}, 0},
		{"no address is known at one site", []SiteView{from("a", BalancerDown).at("http://shop/", ""), from("b", BalancerDown).at("http://shop/ ("+two+")", "", two)}, 2},
		{"addresses instead of a name", []SiteView{from("a", BalancerDown).at("http://192.0.2.1/", ""), from("b", BalancerDown).at("http://192.0.2.2/", "")}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := NewSiteLedger(time.Minute)
			l.Update(siteTime, test.views)
			if got := keysOf(l.Active()); len(got) != test.want {
				t.Errorf("got %q, want %d findings", got, test.want)
			}
			for _, f := range l.Active() {
				if seenFrom := len(f.Evidence) > 0; seenFrom != (len(test.views) == 3) {
					t.Errorf("%s is said to be seen from some sites only: %t", f.Key(), seenFrom)
				}
			}
		})
	}
}

// TestSiteCause: a finding whose cause too few sites see has the next cause, or none.
func TestSiteCause(t *testing.T) {
	a := from("a", BalancerDown, NodeDown, SessionLost)
	a.Active[1].ExplainedBy, a.Active[2].ExplainedBy = "balancer_down", "node_down"
	for want, b := range map[string]SiteView{"": from("b"), "balancer_down": from("b", BalancerDown), "node_down": from("b", NodeDown)} {
		l := NewSiteLedger(time.Minute)
		l.Update(siteTime, []SiteView{a, b})
		active := l.Active()
		if lost := active[len(active)-1]; lost.Code != SessionLost || lost.ExplainedBy != want {
			t.Errorf("got %s explained by %q, want %q", lost.Code, lost.ExplainedBy, want)
		}
	}
}
