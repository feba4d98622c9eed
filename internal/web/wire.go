package web

import (
	"net/netip"
	"time"

	"stickwatch/probes"
)

// The wire formats of the API are in wire_*.go. Fields may be added to version 1;
// one that changes its meaning or goes makes a new version.

// maxField bounds a text for programs, in bytes: whole, but for what nobody
// asked for.
const maxField = 4096

func field(s string) string { return probes.Clean(s, maxField) }

// wireList is never nil: consumers iterate over what is there.
func wireList[T, W any](list []T, wire func(T) W) []W {
	out := make([]W, len(list))
	for i, v := range list {
		out[i] = wire(v)
	}
	return out
}

// wireTime is RFC 3339 in UTC with milliseconds; "" for no time at all.
func wireTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// wireAddress is IP:port; "" for no address at all.
func wireAddress(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// ms tells a duration in milliseconds, to the microsecond.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
