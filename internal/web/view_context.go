package web

import (
	"time"

	"stickwatch/internal/wire"
)

// A viewContext makes what templates show: words in one language, as seen at one
// moment by somebody who may or may not change something.
type viewContext struct {
	formatter
	now      time.Time
	canWrite bool
	canProbe bool
}

// A timestamp is a time for people and for programs.
type timestamp struct {
	Text string
	ISO  string
	Ago  string // how long ago it was; "": it is not known
}

func (v viewContext) timestamp(t time.Time) timestamp {
	m := timestamp{Text: v.clock(t, v.now), ISO: wire.Time(t)}
	if !t.IsZero() {
		m.Ago = v.length(max(0, v.now.Sub(t)))
	}
	return m
}
