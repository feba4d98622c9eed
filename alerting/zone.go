package alerting

import (
	"slices"
	"time"
)

// InZone returns a copy of an incident whose texts have their times in a zone. Readers
// get all times of an incident in one zone, that of the page or of the message.
func (i Incident) InZone(zone *time.Location) Incident {
	i.Cause = i.Cause.InZone(zone)
	i.Findings = slices.Clone(i.Findings)
	for n := range i.Findings {
		i.Findings[n].Finding = i.Findings[n].Finding.InZone(zone)
	}
	i.Timeline = EventsInZone(i.Timeline, zone)
	return i
}

// EventsInZone returns a copy of events whose texts have their times in a zone.
func EventsInZone(events []Event, zone *time.Location) []Event {
	events = slices.Clone(events)
	for n := range events {
		if e := &events[n]; !e.Summary.IsZero() {
			e.Text = e.Summary.InZone(zone).String()
		}
	}
	return events
}
