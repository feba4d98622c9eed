package web

import (
	"time"

	"stickwatch/internal/wire"
)

// A viewer makes what templates show: words in one language, as seen at one
// moment by somebody who may or may not change something.
type viewer struct {
	speech
	now      time.Time
	canWrite bool
	canProbe bool
}

// A moment is a time for people and for programs.
type moment struct {
	Text string
	ISO  string
	For  string // how long ago it was; "": it is not known
}

func (v viewer) moment(t time.Time) moment {
	m := moment{Text: v.clock(t, v.now), ISO: wire.Time(t)}
	if !t.IsZero() {
		m.For = v.length(max(0, v.now.Sub(t)))
	}
	return m
}
