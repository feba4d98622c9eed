package alerting

import (
	"fmt"
	"slices"
	"time"
)

// An Event is a line in an incident's timeline.
type Event struct {
	At      time.Time // when it was decided
	Kind    EventKind
	Cluster string // of the finding, where the incident concerns several; else ""
	Finding string // its key; "": about the incident as a whole
	Text    string // one sentence for people, in English; Language.Event has others
	Reason  Reason // the decision behind it
	Detail  string // of EventNotified the receiver, of EventMerged the other incident, of EventSilenced why, of EventWorsened the severity, of EventUnwatched the cluster; else ""
	Omitted int    // of EventCut: how many events are not kept
}

// An EventKind says what happened in an incident.
type EventKind string

// The kinds of event.
const (
	EventOpened     EventKind = "opened"     // its first finding appeared
	EventJoined     EventKind = "joined"     // a finding became part of it
	EventLeft       EventKind = "left"       // a finding is over
	EventReturned   EventKind = "returned"   // a finding that was over holds again
	EventMoved      EventKind = "moved"      // a finding turned out to have another cause
	EventAltered    EventKind = "altered"    // a finding has another severity, explanation or set of nodes
	EventExplained  EventKind = "explained"  // what was taken for the cause has a cause
	EventMerged     EventKind = "merged"     // two incidents turned out to be one
	EventWorsened   EventKind = "worsened"   // the severity rose
	EventFired      EventKind = "fired"      // it has held long enough to be told
	EventFlapping   EventKind = "flapping"   // a finding comes and goes
	EventWithdrawn  EventKind = "withdrawn"  // it went away before it was told
	EventResolved   EventKind = "resolved"   // it is over
	EventSilenced   EventKind = "silenced"   // from here on nobody is told
	EventUnsilenced EventKind = "unsilenced" // from here on receivers are told again
	EventNotified   EventKind = "told"       // a notice was written for a receiver
	EventUnwatched  EventKind = "unwatched"  // one of its clusters is not watched any more
	EventCut        EventKind = "cut"        // events at this place are not kept
)

// worsens reports whether the severity of the incident rose.
func (e Event) worsens() bool { return e.Kind == EventWorsened }

// A Reason names a decision.
type Reason string

// The reasons.
const (
	ReasonNewCause       Reason = "new_cause"            // no open incident has its cause
	ReasonSameCause      Reason = "same_cause"           // its cause is part of the incident
	ReasonStillPart      Reason = "still_part"           // it was part of the incident, and nothing else explains it
	ReasonOtherCause     Reason = "other_cause"          // its cause is part of another incident
	ReasonCauseFound     Reason = "cause_found"          // the cause appeared later than its effects
	ReasonOneCause       Reason = "one_cause"            // the causes of two incidents have the same cause
	ReasonGone           Reason = "gone"                 // the newest rounds do not see it any more
	ReasonSeen           Reason = "seen"                 // the newest rounds see it so
	ReasonWorse          Reason = "worse_than_before"    // a finding is more severe than all before
	ReasonHeld           Reason = "held_long_enough"     // alerting.for has passed
	ReasonCameAndWent    Reason = "came_and_went"        // FlapTimes within FlapWindow
	ReasonQuiet          Reason = "quiet_long_enough"    // alerting.resolve_after, or FlapQuiet, has passed
	ReasonNotHeld        Reason = "not_held_long_enough" // quiet before alerting.for had passed
	ReasonUnwatched      Reason = "no_longer_watched"    // its cluster is not in the configuration
	ReasonSilence        Reason = "silence"              // a silence or a maintenance window covers it
	ReasonDeployment     Reason = "deployment"           // an announced deployment explains it
	ReasonSilenceOver    Reason = "silence_over"         // none does any more
	ReasonFirst          Reason = "first_notice"         // the receiver did not know of it
	ReasonNews           Reason = "developed"            // there are developments, and Gather has passed
	ReasonStillFiring    Reason = "still_firing"         // alerting.repeat has passed
	ReasonNotifiedBefore Reason = "told_before"          // who knows of an incident is told of its end
	ReasonBounded        Reason = "timeline_bounded"     // MaxEvents
)

// MaxEvents bounds a timeline. Of a longer one the beginning and the end are
// kept: how it came about, and how it stands.
const MaxEvents = 200

// keptFirst is how many events of a bounded timeline are its beginning.
const keptFirst = 50

// appendEvent appends to a timeline and keeps its bound.
func appendEvent(timeline []Event, e Event) []Event {
	timeline = append(timeline, e)
	if len(timeline) <= MaxEvents {
		return timeline
	}
	if timeline[keptFirst].Kind != EventCut {
		timeline[keptFirst] = Event{At: timeline[keptFirst].At, Kind: EventCut, Reason: ReasonBounded, Omitted: 1}
	}
	for len(timeline) > MaxEvents {
		timeline = slices.Delete(timeline, keptFirst+1, keptFirst+2)
		timeline[keptFirst].Omitted++
	}
	timeline[keptFirst].Text = fmt.Sprintf("%d events are not kept", timeline[keptFirst].Omitted)
	return timeline
}
