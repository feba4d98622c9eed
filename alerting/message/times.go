package message

import (
	"strconv"
	"time"
)

// moment tells a time with its zone, since readers may be anywhere; the zero
// time is "".
func (w Writer) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(w.zone()).Format("2006-01-02 15:04:05 MST")
}

// clock tells the time of day of an event.
func (w Writer) clock(t time.Time) string { return t.In(w.zone()).Format(time.TimeOnly) }

func (w Writer) zone() *time.Location {
	if w.Zone == nil {
		return time.UTC
	}
	return w.Zone
}

// duration tells how long something took, in its two largest units.
func (w Writer) duration(d time.Duration) string {
	s := int(max(0, d) / time.Second)
	parts := [4]int{s / 86400, s / 3600 % 24, s / 60 % 60, s % 60}
	largest := 0
	for largest < len(parts)-1 && parts[largest] == 0 {
		largest++
	}
	l := w.labels()
	text := strconv.Itoa(parts[largest]) + l.units[largest]
	if next := largest + 1; next < len(parts) && parts[next] != 0 {
		text += l.betweenUnits + strconv.Itoa(parts[next]) + l.units[next]
	}
	return text
}
