package engineio

import (
	"fmt"
	"slices"
	"testing"

	"stickwatch/internal/expect"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecode(t *testing.T) {
	for name, tc := range map[string]struct {
		eio  revision
		body string
		want []string
	}{
		"4, one":          {eio4, `40{"sid":"x"}`, []string{`40{"sid":"x"}`}},
		"4, several":      {eio4, "2\x1e42[\"a\"]\x1ebAQID", []string{"2", `42["a"]`, "bAQID"}},
		"4, nothing":      {eio4, "", nil},
		"4, HTML":         {eio4, "<html>", nil},
		"4, empty packet": {eio4, "2\x1e\x1e2", []string{"2"}},
		"3, several":      {eio3, `2:4013:42["会话","😀"]1:3`, []string{"40", `42["会话","😀"]`, "3"}},
		"3, nothing":      {eio3, "", nil},
		"3, too long":     {eio3, "9:40", nil},
		"3, half a rune":  {eio3, "2:4😀", nil},
		"3, negative":     {eio3, "-1:40", nil},
		"3, no number":    {eio3, "x:40", nil},
		"3, HTML":         {eio3, "<html>", nil},
		"3, rest":         {eio3, "2:40x", []string{"40"}},
	} {
		t.Run(name, func(t *testing.T) {
			expect.Equal(t, "result", tc.want, tc.eio.decode(tc.body))
		})
	}
}

func TestDecodeEncoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eio := rapid.SampledFrom([]revision{eio3, eio4}).Draw(t, "revision")
		packets := rapid.SliceOfN(rapid.StringMatching(`[0-6][^\x{1e}]{0,20}`), 1, 5).Draw(t, "packets")
		if diff := cmp.Diff(packets, eio.decode(eio.encode(packets...))); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	})
}

func TestDecodeAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.String().Draw(t, "body")
		for _, eio := range []revision{eio3, eio4} {
			eio.decode(body)
			eio.openingOf(body)
		}
		serverErrorOf(body)
	})
}

func TestServerErrorOf(t *testing.T) {
	for body, want := range map[string]serverError{
		`{"code":1,"message":"Session ID unknown"}`: {1, "Session ID unknown"},
		"Session ID unknown":                        {1, "Session ID unknown"},
		`{"code":3,"message":"Bad request"}`:        {3, "Bad request"},
		`{"error":"x"}`:                             {-1, `{"error":"x"}`},
		"":                                          {-1, ""},
	} {
		expect.Equal(t, fmt.Sprintf("%q", body), want, serverErrorOf(body))
	}
}

// FuzzPackets: decoding any body returns at most maxPackets packets, and decoding
// reverses encoding.
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
