package daemon

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

// watched is a script that counts the requests and events of a page and disables
// polling.
const watched = `
	window.fetched = 0; window.told = 0;
	window.setInterval = () => 0;
	window.fetch = new Proxy(window.fetch, { apply: (to, self, args) => { window.fetched++; return Reflect.apply(to, self, args); } });
	window.EventSource = class extends window.EventSource {
		constructor(...args) { super(...args); this.addEventListener("changed", () => { window.told++; }); }
	};`

// TestPageShowsFaults: an open page shows new faults without a reload. It sends at most
// one request a second and is at most two requests behind: one that was in progress when
// the fault was detected, and the one that the event of the fault causes.
func TestPageShowsFaults(t *testing.T) {
	r := newRig(t)
	d, _ := r.start(t)
	d.untilReady(t)
	page := openBrowserTab(t, d.url+"/?lang=en", watched)
	page.await("the start", `window.told > 0 && document.querySelector("h1.m.ok")?.textContent === "shop is healthy"`)
	ask[bool](page, `window.same = true`)

	shows := func(what, expression string) {
		t.Helper()
		before := ask[int](page, `window.fetched`)
		page.await(what, expression)
		if n := ask[int](page, `window.fetched`) - before; n > 2 {
			t.Errorf("%s was on the page after %d fetches, want 2 at most", what, n)
		}
	}
	for _, fault := range []struct {
		name string
		code checks.Code
	}{
		{"balancer-down", checks.BalancerDown},
		{"drift", checks.SessionDrift},
		{"ejected", checks.NodeEjected},
		{"session-lost", checks.SessionLost},
		{"cookie-rejected", checks.CookieRejected},
		{"redis-down", checks.DependencyDown},
		{"version-skew", checks.VersionSkew},
		{"clock-skew", checks.ClockSkew},
		{"node-down", checks.NodeDown},
	} {
		must.Succeed(t, r.Break(fault.name))
		until(t, fault.name, func() bool { return slices.Contains(d.probe(t).Causes, fault.code) })
		shows(fault.name, `document.querySelector("h1").matches(".bd, .wn, .no") &&
			document.getElementById("main").textContent.includes(`+strconv.Quote(alerting.English.Title(fault.code))+`)`)
		if fault.code == checks.NodeDown {
			break // the last: what its restart has cost is reported for two minutes
		}
		must.Succeed(t, r.Heal())
		until(t, "health after "+fault.name, func() bool { return d.probe(t).Verdict == checks.Healthy })
		shows("health after "+fault.name, `document.querySelector("h1.m.ok")?.textContent === "shop is healthy"`)
	}
	if !ask[bool](page, `window.same === true`) {
		t.Error("the page was loaded again")
	}
}

// A clusterStatus is the state of the cluster in the API.
type clusterStatus struct {
	Verdict checks.Verdict
	Causes  []checks.Code // what no other finding explains, and is worth a look
}

// probe makes the daemon run a round now.
func (r *running) probe(t *testing.T) clusterStatus {
	t.Helper()
	status, body := r.ask(t, http.MethodPost, "/api/v1/clusters/shop/probe", "")
	var answer struct {
		Verdict  checks.Verdict
		Findings []struct {
			Code        checks.Code
			Severity    checks.Severity
			ExplainedBy string `json:"explained_by"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("got %d %s: %v", status, body, err)
	}
	known := clusterStatus{Verdict: answer.Verdict}
	for _, f := range answer.Findings {
		if f.ExplainedBy == "" && f.Severity.AtLeast(checks.Warning) {
			known.Causes = append(known.Causes, f.Code)
		}
	}
	return known
}
