package checks

import (
	"net/http"
	"slices"

	"stickwatch/probes"
)

// logins finds that clients of stickwatch cannot log in. The clients that still hold a session
// are judged; without any, see loginDoubt.
func logins(r *Round) []Finding {
	if !r.needsLogin() {
		return nil
	}
	l := r.Login
	var list []Finding
	if l.Problem != "" {
		f := Finding{Code: LoginFailing, Severity: Warning, Summary: loginProblem(l), Evidence: []Message{describe(l.Exchange)}}
		f.Remedy = msg(MsgCheckLoginPage, Args{})
		if l.Refusals > 0 {
			f.Evidence = append(f.Evidence, msg(MsgLoginPauses, Args{Count: l.Refusals, At: l.Until}))
			f.Remedy = msg(MsgCheckAccount, Args{})
		}
		if l.Problem == probes.LoginScattered {
			f.Remedy = msg(MsgMakeSticky, Args{})
		}
		list = append(list, f)
	}
	if l.Single {
		list = append(list, Finding{
			Code: BlindSpot, Severity: Info, Target: "login",
			Summary: msg(MsgSingleSession, Args{}), Evidence: []Message{msg(MsgEndedByLogin, Args{})}, Remedy: msg(MsgAllowSessions, Args{}),
		})
	}
	return list
}

// loginProblem returns the sentence about a failed login.
func loginProblem(l probes.LoginStatus) Message {
	args := Args{Path: l.Exchange.Path, Status: l.Exchange.Status, Address: l.Host, Node: l.To, Other: l.From}
	if id, ok := formFaults[l.Fault]; ok {
		args.Why = new(msg(id, args))
		return msg(MsgLoginPageUnfit, args)
	}
	return msg(loginProblems[l.Problem], args)
}

var loginProblems = map[probes.LoginProblem]MessageID{
	probes.LoginRefused: MsgLoginRefused, probes.LoginRejected: MsgLoginRejected, probes.LoginNotIn: MsgLoginNotIn,
	probes.LoginScattered: MsgLoginScattered, probes.LoginUnanswered: MsgLoginUnanswered, probes.LoginElsewhere: MsgLoginElsewhere,
}

var formFaults = map[probes.FormFault]MessageID{
	probes.FormMissing: MsgFormMissing, probes.FormTooLarge: MsgFormTooLarge, probes.FormByGet: MsgFormByGet,
	probes.FormEncoded: MsgFormEncoded, probes.FormElsewhere: MsgFormAway, probes.TokenMissing: MsgTokenMissing,
}

// needsLogin reports whether the application has sessions for users who log in only.
func (r *Round) needsLogin() bool {
	return r.Cluster.Session != nil && r.Cluster.Session.Login != nil
}

// turnsAway reports whether an answer is what a visitor gets who has not logged in.
func (r *Round) turnsAway(ex probes.Exchange) bool {
	return r.needsLogin() && (ex.Status == http.StatusUnauthorized || ex.Status == http.StatusForbidden)
}

// loginDoubt returns why no session of a user was observed; zero if one was, or none is needed.
func (oc *outcomes) loginDoubt() Message {
	if !oc.round.needsLogin() || slices.ContainsFunc(oc.traces, func(tr *trace) bool { return !tr.Visitor && len(tr.Steps) > 0 }) {
		return Message{}
	}
	switch l := oc.round.Login; {
	case l.Problem != "":
		return msg(MsgNobodyLoggedIn, Args{Why: new(loginProblem(l))})
	case l.Held:
		return msg(MsgLoginsHeld, Args{})
	default:
		return msg(MsgNoSession, Args{})
	}
}
