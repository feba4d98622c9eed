package engineio

import (
	"slices"
	"testing"
)

// FuzzPackets: whatever a server puts into a body, decoding ends with at most
// maxPackets packets, and what was encoded is decoded as it was.
func FuzzPackets(f *testing.F) {
	for _, body := range []string{
		`0{"sid":"x","upgrades":["websocket"],"pingInterval":25000}`, "2:40", "97:0{}2:40", "40\x1e2\x1e3probe",
		"99999999999999999999:0", "-1:40", "1:\xff", "\x1e\x1e\x1e", `{"code":1,"message":"Session ID unknown"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := revisionOf(body)
		packets := r.decode(body)
		if len(packets) > maxPackets {
			t.Errorf("got %d packets, want at most %d", len(packets), maxPackets)
		}
		if r == eio4 {
			if again := r.decode(r.encode(packets...)); len(packets) > 0 && !slices.Equal(again, packets) {
				t.Errorf("got %q after encoding, want %q", again, packets)
			}
		}
		r.openingOf(body)
		serverErrorOf(body)
	})
}
