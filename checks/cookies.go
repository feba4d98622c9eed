package checks

import (
	"slices"

	"stickwatch/probes"
)

// cookies finds session cookies that a browser would not send back.
func cookies(v *outcomes) []Finding {
	var list []Finding
	for _, a := range v.answers {
		for _, r := range a.Rejected {
			same := func(f Finding) bool { return f.Target == r.Name }
			if slices.ContainsFunc(list, same) {
				continue
			}
			f := Finding{Code: CookieRejected, Severity: Warning, Target: r.Name}
			f.Summary = msg(MsgCookieRejected, Args{Name: r.Name, Why: new(msg(brokenRules[r.Rule], Args{Name: r.Has, Value: r.Asks}))})
			f.Evidence = []Message{msg(MsgCookieSet, Args{Node: a.node, At: a.At})}
			f.Remedy = msg(MsgCorrectCookie, Args{})
			list = append(list, f)
		}
	}
	return append(list, noCookie(v)...)
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
}

// noCookie finds an application that sets no session cookie over the scheme of the
// request, although it answers with the page.
func noCookie(v *outcomes) []Finding {
	if v.Cluster.Session == nil || v.Cluster.Session.ID == nil || v.policy() == probes.PolicyNone || v.needsLogin() {
		return nil // before a login, an application need not set one
	}
	clients := 0
	for _, w := range v.traces {
		first := w.First()
		switch {
		case w.Continued || !first.OK() || first.Status >= 300 || v.page.isWrong(first):
		case first.NewID || len(first.Rejected) > 0:
			return nil
		default:
			clients++
		}
	}
	identifies := func(a *answer) bool { return a.Label != "" || a.Session != "" }
	if clients == 0 || !slices.ContainsFunc(v.answers, identifies) || !noSessionSurvives(v) {
		return nil
	}
	scheme := v.Cluster.Balancer.URLs[0].Scheme
	f := Finding{Code: CookieRejected, Severity: Warning, Target: "none"}
	f.Summary = msg(MsgNoCookie, Args{Name: scheme})
	f.Evidence = []Message{msg(MsgPageWithoutCookie, Args{Count: clients})}
	f.Remedy = msg(MsgForwardScheme, Args{})
	return []Finding{f}
}

// noSessionSurvives reports whether no session survives a single request: answers show no
// session, or a new one each time, also from the same node.
func noSessionSurvives(v *outcomes) bool {
	shown, lost, own := 0, 0, 0
	for _, a := range v.answers {
		if a.Session != "" {
			shown++
		}
		if !a.isFollowUp() || a.trace.Continued || !a.OK() {
			continue
		}
		switch a.sessionOutcome {
		case probes.SessionLost:
			lost++
			if !a.moved() {
				own++
			}
		case probes.SessionKept, probes.SessionStale:
			return false
		}
	}
	return shown == 0 || lost > 0 && own > 0
}
