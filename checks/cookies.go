package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// cookies finds session cookies that a browser would not send back.
func cookies(oc *outcomes) []Finding {
	var list []Finding
	for _, a := range oc.allAnswers {
		for _, r := range a.Rejected {
			same := func(f Finding) bool { return f.Target == r.Name }
			if slices.ContainsFunc(list, same) || r.Rule == probes.CookieEnded && (r.Life >= oc.round.Cluster.SessionTimeout() || a.sessionOutcome == probes.SessionKept) {
				continue // sessions may time out as early; or the session survived, so the cookie was another one
			}
			f := Finding{Code: CookieRejected, Severity: Warning, Target: r.Name}
			f.Summary = msg(MsgCookieRejected, Args{Name: r.Name, Why: new(msg(brokenRules[r.Rule], Args{Name: r.Has, Value: r.Asks, Duration: r.Life.Round(time.Second)}))})
			f.Evidence = []Message{msg(MsgCookieSet, Args{Node: a.listedNode, At: a.At})}
			f.Remedy = msg(MsgCorrectCookie, Args{})
			switch r.Rule {
			case probes.CookieReplaced:
				f.Remedy = msg(MsgRenameCookie, Args{})
			case probes.CookieEnded:
				f.Evidence = []Message{msg(MsgCameWithoutCookie, Args{Session: a.trace.First().Session, At: a.At})}
				f.Remedy = msg(MsgExtendCookie, Args{})
				f.observed.pause = r.Life
			}
			list = append(list, f)
		}
	}
	return append(list, noCookie(oc)...)
}

// brokenRules maps the rule that a cookie breaks to its sentence.
var brokenRules = map[probes.CookieRule]MessageID{
	probes.CookieTooLong:      MsgCookieTooLong,
	probes.CookieSecurePrefix: MsgCookieSecurePrefix,
	probes.CookieHostPrefix:   MsgCookieHostPrefix,
	probes.CookieSameSite:     MsgCookieSameSite,
	probes.CookieSecure:       MsgCookieSecure,
	probes.CookieDomain:       MsgCookieDomain,
	probes.CookiePath:         MsgCookiePath,
	probes.CookieNoPath:       MsgCookieNoPath,
	probes.CookieReplaced:     MsgCookieReplaced,
	probes.CookieEnded:        MsgCookieEnded,
}

// keptProvesCookie is how long a session that survived a request proves that the application sets
// a cookie: in a store that is being emptied, every client of one round may lose its session.
const keptProvesCookie = time.Minute

// noCookie finds an application that sets no session cookie over the scheme of the
// request, although it answers with the page.
func noCookie(oc *outcomes) []Finding {
	if oc.round.Cluster.Session == nil || oc.round.Cluster.Session.ID == nil || oc.round.policy() == probes.PolicyNone || oc.round.needsLogin() {
		return nil // before a login, an application need not set one
	}
	kept := oc.round.past().Balancer.LastKeptAt
	if !kept.IsZero() && oc.round.Started.Sub(kept) < keptProvesCookie {
		return nil
	}
	idsShared := len(sharedIDs(oc)) > 0 // then a new id is no sign of a session cookie
	clients := 0                        // that got the page without a cookie
	for _, tr := range oc.traces {
		first := tr.First()
		switch {
		case tr.Continued || !first.OK() || first.Status >= 300 || oc.nodes.page.isWrong(first):
		case first.NewID && !idsShared || len(first.Rejected) > 0:
			return nil
		default:
			clients++
		}
	}
	// If sessions were kept before, an answer with neither a label nor a session is another page.
	isThePage := func(a *answer) bool {
		return a.Label != "" || a.Session != "" || kept.IsZero() && a.sessionOutcome == probes.SessionLost
	}
	if clients == 0 || !slices.ContainsFunc(oc.answers, isThePage) || !noSessionSurvives(oc) {
		return nil
	}
	f := Finding{Code: CookieRejected, Severity: Warning, Target: "none"}
	f.Summary = msg(MsgNoCookie, Args{Name: oc.round.Cluster.Balancer.URLs[0].Scheme})
	f.Evidence = []Message{msg(MsgPageWithoutCookie, Args{Count: clients})}
	f.Remedy = msg(MsgForwardScheme, Args{})
	if setting := oc.round.nodesWhere(func(id string) bool { o := oc.nodes.direct[id]; return o != nil && o.Session != nil && o.Session.NewID }); len(setting) > 0 {
		f.Summary = msg(MsgCookieRemoved, Args{Nodes: setting})
		f.Remedy = msg(MsgLetCookiePass, Args{})
	}
	return []Finding{f}
}

// noSessionSurvives reports whether no session survives a single request: answers show no
// session, or a new one each time, also from the same node.
func noSessionSurvives(oc *outcomes) bool {
	shown, lostAtOwnNode := false, false
	for _, a := range oc.answers {
		shown = shown || a.Session != ""
		if oc.continuesAtWrite(a) {
			return false
		}
		if !a.isFollowUp() || a.trace.Continued || !a.OK() {
			continue
		}
		switch a.sessionOutcome {
		case probes.SessionLost:
			lostAtOwnNode = lostAtOwnNode || !a.moved()
		case probes.SessionKept, probes.SessionStale:
			return false
		}
	}
	return !shown || lostAtOwnNode
}

// continuesAtWrite reports whether the answer to a write shows that the node knew the session,
// because it has the id that the client presented. The same cookie, set again, may be one by
// which the balancer replaces that of the node. No cache answers a write, whose URL is another
// one each time.
func (oc *outcomes) continuesAtWrite(a *answer) bool {
	setAgain := oc.round.Cluster.Session != nil && oc.round.Cluster.Session.Cookie != "" && a.ShowsSession && !a.NewID
	return a.Kind == probes.StepWrite && a.OK() && !setAgain && a.sessionOutcome == probes.SessionKept
}
