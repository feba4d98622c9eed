package probes

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"stickwatch/internal/expect"

	"pgregory.net/rapid"
)

func TestIntersect(t *testing.T) {
	offset := func(from, to, samples int) ClockOffset {
		return ClockOffset{Min: time.Duration(from), Max: time.Duration(to), Samples: samples}
	}
	tests := []struct {
		name       string
		a, b, want ClockOffset
	}{
		{"none", ClockOffset{}, ClockOffset{}, ClockOffset{}},
		{"one", offset(1, 3, 1), ClockOffset{}, offset(1, 3, 1)},
		{"overlap", offset(1, 5, 1), offset(3, 9, 2), offset(3, 5, 3)},
		{"within", offset(1, 9, 1), offset(3, 5, 1), offset(3, 5, 2)},
		{"contradiction", offset(1, 3, 1), offset(5, 9, 1), ClockOffset{}},
		{"touch", offset(1, 3, 1), offset(3, 9, 1), ClockOffset{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expect.Equal(t, "a.Intersect(b)", tt.want, tt.a.Intersect(tt.b))
			expect.Equal(t, "b.Intersect(a)", tt.want, tt.b.Intersect(tt.a))
		})
	}
}

// TestIntersectContainsOffset: if all samples contain an offset, so does their
// intersection.
func TestIntersectContainsOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all ClockOffset
		for i := range rapid.IntRange(1, 9).Draw(t, "samples") {
			below := rapid.Int64Range(1, 1e9).Draw(t, fmt.Sprint("below", i))
			above := rapid.Int64Range(1, 1e9).Draw(t, fmt.Sprint("above", i))
			all = all.Intersect(ClockOffset{Min: -time.Duration(below), Max: time.Duration(above), Samples: 1})
		}
		if all.Samples == 0 || all.Min >= 0 || all.Max <= 0 {
			t.Errorf("got %+v, want it to hold 0", all)
		}
	})
}

// TestContradictionStays: after two samples that contradict each other, a third one
// does not make the clock known again.
func TestContradictionStays(t *testing.T) {
	at := time.Now()
	sample := func(i int, from, to time.Duration) Exchange {
		return Exchange{At: at.Add(time.Duration(i)), Clock: ClockOffset{Min: from, Max: to, Samples: 1}}
	}
	one, two, three := sample(1, 0, 2), sample(2, 9, 11), sample(3, 0, 2)
	if got := clockOf([]Exchange{one, two, three}); got.Samples != 0 {
		t.Errorf("got %+v, want nothing", got)
	}
	if got := clockOf([]Exchange{one, one, {}, three}); got.Samples != 2 {
		t.Errorf("got %+v, want two samples", got)
	}
}

func TestDateHeader(t *testing.T) {
	for _, tt := range []struct {
		name   string
		date   string
		known  bool
		offset time.Duration
	}{
		{"right", time.Now().UTC().Format(http.TimeFormat), true, 0},
		{"an hour fast", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), true, time.Hour},
		{"never set", "Thu, 01 Jan 1970 00:00:00 GMT", true, -time.Since(time.Unix(0, 0))},
		{"none", "", false, 0},
		{"made up", "soon", false, 0},
		{"far future", "Fri, 31 Dec 9999 23:59:59 GMT", false, 0},
		{"far past", "Mon, 01 Jan 0001 00:00:00 GMT", false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := serve(t, respond(head+"Date: "+tt.date+"\r\n\r\n"))
			ex, _ := fetch(t, Target{URL: u, Timeout: ample}, pageRequest{})
			c := ex.Clock
			if (c.Samples == 1) != tt.known {
				t.Fatalf("got %+v, want known: %v", c, tt.known)
			}
			// The header was written before the request started. The clock seems slower
			// by that time, up to the time that the machine needs.
			if tt.known && (c.Min > tt.offset || c.Max < tt.offset-ample || c.Max-c.Min < 2*time.Second) {
				t.Errorf("got %+v, want it around %s and at least 2 s wide", c, tt.offset)
			}
		})
	}
}

// TestHopTimerClock: the answer was written between the moment at which the connection
// was ready and the arrival of its first byte.
func TestHopTimerClock(t *testing.T) {
	date := time.Date(2024, 9, 1, 12, 0, 0, 0, time.UTC)
	tr := &hopTimer{usable: date.Add(100 * time.Millisecond), firstByte: date.Add(150 * time.Millisecond)}
	want := ClockOffset{Min: -150 * time.Millisecond, Max: 1900 * time.Millisecond, Samples: 1}
	expect.Equal(t, "offset", want, tr.clock(date))
	if got := (&hopTimer{firstByte: date}).clock(date); got.Samples != 0 {
		t.Errorf("got %+v without a connection", got)
	}
}
