package checks

import (
	"fmt"
	"slices"
)

// cookies finds session cookies that a browser would not bring back.
func cookies(v *view) []Finding {
	var list []Finding
	for _, a := range v.answers {
		for _, r := range a.Rejected {
			same := func(f Finding) bool { return f.Target == r.Name }
			if slices.ContainsFunc(list, same) {
				continue
			}
			f := Finding{Code: CookieRejected, Severity: Warning, Target: r.Name}
			f.Summary = fmt.Sprintf("the session cookie %s would not come back: %s", r.Name, r.Why)
			f.Evidence = []string{fmt.Sprintf("set by %s through the balancer at %s", orElse(a.node, "an answer"), clock(a.At))}
			f.Remedy = "Correct the cookie's attributes where the application or the balancer sets them (Path, Domain, Secure; proxy_cookie_path, proxy_cookie_domain in nginx)."
			list = append(list, f)
		}
	}
	return list
}
