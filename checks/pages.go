package checks

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"stickwatch/probes"
)

// pages finds pages that do not answer as configured, including the session test
// page.
func pages(oc *outcomes) []Finding {
	var list []Finding
	known := oc.titles()
	for i, page := range oc.round.Cluster.Pages {
		var failing []string
		for _, o := range oc.nodes.enabled {
			if i < len(o.Pages) && oc.nodes.ready(o.Node) && !asConfigured(page, o.Pages[i]) {
				failing = append(failing, o.Node)
				list = append(list, failsOn(o.Node, page, o.Pages[i]))
			}
		}
		for _, front := range oc.frontends {
			switch {
			case i >= len(front.Pages) || !front.answered() || oc.nodes.ownError(front.Pages[i]):
			case !asConfigured(page, front.Pages[i]):
				list = append(list, failsThrough(oc.nodes, front, page, front.Pages[i], failing))
			case known[page.Path].isForeign(front.Pages[i]) && hasPage(oc.nodes, page):
				f := failsInBetween(front, page, front.Pages[i:i+1])
				f.Summary = msg(MsgNobodysTitle, Args{Path: page.Path, Value: front.Pages[i].Title})
				list = append(list, f)
			}
		}
	}
	return slices.Concat(list, sessionPage(oc), pageInBetween(oc), pageGone(oc))
}

// maxTitles bounds the known titles of a page. One with more has a title of its own for each request.
const maxTitles = 8

// titles returns the titles that nodes have given the configured pages, this round included.
func (oc *outcomes) titles() map[string]titles {
	known := maps.Clone(oc.round.past().Balancer.Titles)
	for i, page := range oc.round.Cluster.Pages {
		t := known[page.Path]
		for _, o := range oc.nodes.enabled {
			if i < len(o.Pages) && o.Pages[i].Title != "" && len(t.OfNodes) < maxTitles && !t.ofNode(o.Pages[i]) {
				t.OfNodes = append(slices.Clone(t.OfNodes), withoutNumbers(o.Pages[i].Title))
			}
		}
		for _, front := range oc.frontends {
			t.Passed = t.Passed || i < len(front.Pages) && t.ofNode(front.Pages[i])
		}
		if len(t.OfNodes) > 0 {
			if known == nil {
				known = make(map[string]titles)
			}
			known[page.Path] = t
		}
	}
	return known
}

// isForeign reports whether an answer has a title that no node has ever given the page, although clients got
// one of theirs before: without that, the nodes may have another virtual host.
func (t titles) isForeign(ex probes.Exchange) bool {
	return ex.Title != "" && t.Passed && len(t.OfNodes) < maxTitles && !t.ofNode(ex)
}

// ofNode reports whether some node has given the title of an answer.
func (t titles) ofNode(ex probes.Exchange) bool {
	return slices.Contains(t.OfNodes, withoutNumbers(ex.Title))
}

// withoutNumbers removes the digits of a title, which are of a version, a time or a count.
func withoutNumbers(title string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, title)
}

// asConfigured reports whether an answer is as configured; a missing exchange is. A refused connection is
// not the page's: whatever listened a moment ago has ended.
func asConfigured(page probes.Page, ex probes.Exchange) bool {
	return !completed(ex) || ex.Failure == probes.FailureRefused || ex.Failure == "" && page.Want.Has(ex.Status)
}

// failsOn returns the finding about a page that fails on a node.
func failsOn(node string, page probes.Page, ex probes.Exchange) Finding {
	f := about(PageFailing, Warning, node)
	f.Target = page.Path
	return aboutPage(f, MsgPageFailsOn, page, ex)
}

// failsThrough returns the finding about a page that fails through the balancer. The
// nodes on which it fails directly, and the one that the balancer got no answer from,
// may be the cause.
func failsThrough(ns *nodeStates, front frontend, page probes.Page, ex probes.Exchange, failing []string) Finding {
	f := Finding{Code: PageFailing, Severity: Critical, Target: front.page(page.Path)}
	culprit := only(ns.plainFailingNodesOf(ex))
	f.Nodes = ns.round.nodesWhere(func(id string) bool { return id == culprit || slices.Contains(failing, id) })
	return aboutPage(f, MsgPageFailsThrough, page, ex)
}

func aboutPage(f Finding, fails MessageID, page probes.Page, ex probes.Exchange) Finding {
	f.Summary = msg(fails, Args{Path: page.Path, Node: f.Node, Status: ex.Status, Reason: why(ex), Value: page.Want.String()})
	f.Evidence = []Message{describe(ex)}
	f.Remedy, f.facts.erring = msg(MsgCheckPage, Args{}), ex.Status >= http.StatusInternalServerError
	return f
}

// sessionPage finds nodes on which the session test page fails, unless it is one of
// the configured pages. If no node has it, see pageGone and doubts.
func sessionPage(oc *outcomes) []Finding {
	ns := oc.nodes
	if ns.round.Cluster.Session == nil || everyNodeRefuses(ns) {
		return nil
	}
	page := probes.Page{Path: ns.round.Cluster.Session.Path, Want: probes.StatusRange{From: 200, To: 399}}
	if slices.ContainsFunc(ns.round.Cluster.Pages, func(p probes.Page) bool { return p.Path == page.Path }) {
		return nil
	}
	var list []Finding
	for _, o := range ns.enabled {
		switch {
		case !ns.ready(o.Node) || o.Session == nil || ns.round.turnsAway(*o.Session):
		case !asConfigured(page, *o.Session):
			list = append(list, failsOn(o.Node, page, *o.Session))
		case ns.page.isWrong(*o.Session) && ns.othersHavePage(o.Node):
			list = append(list, notThePage(oc, o.Node, page, *o.Session))
		}
	}
	return list
}

// othersHavePage reports whether another ready node answers with the page.
func (ns *nodeStates) othersHavePage(node string) bool {
	return slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool {
		return o.Node != node && ns.ready(o.Node) && o.Session != nil && o.Session.OK() && !ns.page.isWrong(*o.Session)
	})
}

// notThePage returns the finding about a node that answers with another page, with
// 2xx or 3xx. It is critical if clients got such a page through the balancer.
func notThePage(oc *outcomes, node string, page probes.Page, ex probes.Exchange) Finding {
	f := failsOn(node, page, ex)
	if got := gotWrongPage(oc, node); len(got) > 0 {
		f.Severity, f.observed.harm, f.Affected = Critical, harmSpan(got), shareOf(oc, clientsOf(got))
	}
	f.Summary = msg(MsgAnotherPage, Args{Path: page.Path, Node: node})
	f.Evidence = []Message{describe(ex)}
	if ex.FinalPath != "" {
		f.Evidence = append(f.Evidence, msg(MsgLeadsTo, Args{Path: ex.FinalPath}))
	}
	return f
}

// gotWrongPage returns the requests of clients that were answered with another page,
// except those of clients that are known to be at other nodes: such a page names no node.
func gotWrongPage(oc *outcomes, node string) []*answer {
	return slices.DeleteFunc(slices.Clone(oc.allAnswers), func(a *answer) bool {
		holder := a.trace.holder
		elsewhere := holder != "" && holder != node && oc.round.policy() != probes.PolicyShared
		return a.outcome != OutcomeWrongPage || elsewhere
	})
}

// pageInBetween finds answers to new clients that no node gives, while a ready node
// has the page. They come from something in between, such as another virtual host or
// a protected location.
func pageInBetween(oc *outcomes) []Finding {
	page := probes.Page{Path: oc.round.Cluster.ClientPath(), Want: probes.StatusRange{From: 200, To: 399}}
	private := oc.round.Cluster.Session == nil && oc.round.Cluster.Status != nil // /status need not be public
	if private || !hasPage(oc.nodes, page) || slices.ContainsFunc(oc.round.Cluster.Pages, func(p probes.Page) bool { return p.Path == page.Path }) {
		return nil
	}
	var list []Finding
	for _, front := range oc.frontends {
		var got []probes.Exchange
		for _, tr := range front.traces {
			if tr.Continued {
				continue
			}
			ex := tr.First()
			_, known := oc.nodes.replies[replyOf(ex)]
			other := oc.nodes.page.isWrong(ex) && !someNodeErrs(oc.nodes)
			if ex.Answered() && (other || !known && !asConfigured(page, ex)) && !oc.nodes.ownError(ex) && tr.answers[0].failedNode == "" {
				got = append(got, ex)
			}
		}
		if len(got) > 0 {
			list = append(list, failsInBetween(front, page, got))
		}
	}
	return list
}

// hasPage reports whether some ready node has the page.
func hasPage(ns *nodeStates, page probes.Page) bool {
	return slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool {
		return ns.ready(o.Node) && slices.ContainsFunc(directExchanges(o), func(ex probes.Exchange) bool {
			return ex.Path == page.Path && completed(ex) && asConfigured(page, ex)
		})
	})
}

// someNodeErrs reports whether some node, asked directly, answers with another page,
// which may then be the one that clients got.
func someNodeErrs(ns *nodeStates) bool {
	return slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool { return ns.showsAnotherPage(o.Node) })
}

// pageGone finds that nobody gets the page of the session any more: neither new clients, nor
// stickwatch from a node.
func pageGone(oc *outcomes) (list []Finding) {
	if oc.round.Cluster.Session == nil || !oc.round.past().Balancer.Served || !everyNodeRefuses(oc.nodes) {
		return nil
	}
	page := probes.Page{Path: oc.round.Cluster.ClientPath(), Want: probes.StatusRange{From: 200, To: 399}}
	if slices.ContainsFunc(oc.round.Cluster.Pages, func(p probes.Page) bool { return p.Path == page.Path }) {
		return nil
	}
	for _, front := range oc.frontends {
		var got []probes.Exchange
		for _, tr := range front.traces {
			if first := tr.First(); !tr.Continued && first.Answered() && first.Status >= 400 && first.Status <= 499 && !oc.round.turnsAway(first) {
				got = append(got, first)
			} else if !tr.Continued {
				got = nil
				break
			}
		}
		if len(got) == 0 {
			continue
		}
		f := failsThrough(oc.nodes, front, page, got[0], oc.round.nodesWhere(oc.nodes.ready))
		if refused := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}; slices.Contains(refused, got[0].Status) {
			f.Severity = Warning // perhaps only stickwatch is refused
		}
		list = append(list, f)
	}
	return list
}

func failsInBetween(front frontend, page probes.Page, got []probes.Exchange) Finding {
	f := aboutPage(Finding{Code: PageFailing, Severity: Critical, Target: front.page(page.Path)}, MsgPageFailsThrough, page, got[0])
	f.Evidence = nil
	for _, ex := range got {
		f.Evidence = append(f.Evidence, describe(ex))
	}
	if got[0].Failure == "" && page.Want.Has(got[0].Status) {
		f.Summary = msg(MsgNobodysPage, Args{Path: page.Path, Status: got[0].Status})
	}
	f.Evidence = append(limited(f.Evidence), msg(MsgNoNodeAnswersSo, Args{}))
	f.Remedy = msg(MsgCheckBetween, Args{})
	if got[0].Status == http.StatusUnauthorized || got[0].Status == http.StatusForbidden || got[0].Status == http.StatusNotAcceptable {
		f.Remedy = msg(MsgCheckRefusal, Args{})
	}
	return f
}

// Restored returns what active findings of an earlier process say of earlier rounds: clients were
// served a page that is reported gone.
func Restored(c *probes.Cluster, active []ActiveFinding) *Timelines {
	t := new(Timelines) // not nil: later rounds build on it
	t.Balancer.Served = slices.ContainsFunc(active, func(f ActiveFinding) bool {
		page, _, _ := strings.Cut(f.Target, " (") // without the balancer's address
		return f.Code == PageFailing && f.Node == "" && strings.HasSuffix(page, c.ClientPath())
	})
	return t
}

// noTestPage reports whether no node has ever answered with the session test page: the path
// is wrong, or the application has no such page.
func noTestPage(ns *nodeStates) bool { return !ns.round.past().Balancer.Served && everyNodeRefuses(ns) }

// everyNodeRefuses reports whether every node that is up answers the session test page with
// a 4xx.
func everyNodeRefuses(ns *nodeStates) bool {
	with := 0
	for _, o := range ns.enabled {
		if !ns.up[o.Node] || o.Session == nil {
			continue
		}
		if with++; ns.round.turnsAway(*o.Session) || o.Session.Status < 400 || o.Session.Status > 499 {
			return false
		}
	}
	return with > 0
}
