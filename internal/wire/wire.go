// Package wire is the JSON that stickwatch shows: the same thing has the same
// shape in `probe -o json`, in `history -o json` and in the API.
//
// Fields may be added to a schema; one that changes its meaning or goes makes
// another one. Lists are never null, and texts are clean and bounded: much of
// what they say was said by a target.
package wire

import (
	"net/netip"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// Schema is the version of all of it.
const Schema = 1

// MaxField bounds a text, in bytes: whole, but for what nobody asked for.
const MaxField = 4096

// Field is a text as programs get it.
func Field(s string) string { return probes.Clean(s, MaxField) }

// Sentence is a message in English, which programs are told in.
func Sentence(m checks.Message) string { return Field(m.String()) }

// List is never nil: programs iterate over what is there.
func List[T, W any](list []T, of func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return out
}

// Time is RFC 3339 in UTC with milliseconds; "" for no time at all.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// MS tells a duration in milliseconds, to the microsecond.
func MS(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// address is IP:port; "" for no address at all.
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
