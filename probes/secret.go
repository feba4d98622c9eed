package probes

import (
	"cmp"
	"slices"
	"strings"
)

// minSecret is the length in bytes from which a session id is looked for in
// texts. A shorter one is nobody's credential, and would be found by chance.
const minSecret = 8

// hide puts fingerprints in the place of session ids in whatever the target
// wrote: an extractor may read too much, a page may repeat a cookie.
func (e *Exchange) hide(secrets []string) {
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < minSecret })
	if len(secrets) == 0 {
		return
	}
	// The longest first: an id is a part of its own cookie.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, s := range slices.Compact(secrets) {
		pairs = append(pairs, s, string(FingerprintOf(s)))
	}
	hide := strings.NewReplacer(pairs...)
	for _, text := range []*string{&e.Error, &e.Redirect, &e.Label, &e.Store, &e.Value, &e.Version} {
		*text = Clean(hide.Replace(*text), MaxValue)
	}
	for i, r := range e.Rejected {
		e.Rejected[i] = RejectedCookie{Name: hide.Replace(r.Name), Why: hide.Replace(r.Why)}
	}
}
