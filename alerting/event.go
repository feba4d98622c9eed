package alerting

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// An Event is an entry in the timeline of an incident.
type Event struct {
	At      time.Time // when it was decided
	Kind    EventKind
	Cluster string // of the finding, if the incident concerns several; else ""
	Finding string // its key; "": about the incident as a whole
	Text    string // one sentence in English; Language.Event has other languages
	Reason  Reason // why it was decided
	// Summary is that of the finding, if Text has times, which are in UTC; else zero.
	Summary checks.Message `json:",omitzero"`
	Detail  string         // EventNotified: the receiver; EventMerged: the other incident; EventSilenced: why; EventWorsened: the severity; EventAcknowledged, EventNoted: the note; EventEscalated: the receiver; EventUnwatched: the cluster; else ""
	Author  string         `json:",omitempty"` // EventAcknowledged, EventNoted: who; "": unknown, or at the begin of the Detail of an older version
	Omitted int            // EventCut: the number of removed events
}

// An EventKind is the kind of an event.
type EventKind string

// The kinds of event.
const (
	EventOpened       EventKind = "opened"       // the first finding appeared
	EventJoined       EventKind = "joined"       // a finding was added
	EventLeft         EventKind = "left"         // a finding ended
	EventReturned     EventKind = "returned"     // an ended finding is active again
	EventMoved        EventKind = "moved"        // a finding moved to another incident, which has its cause
	EventAltered      EventKind = "altered"      // a finding has another severity, explanation, or set of nodes
	EventExplained    EventKind = "explained"    // the cause has a cause, which is the new cause
	EventMerged       EventKind = "merged"       // two incidents have the same cause
	EventWorsened     EventKind = "worsened"     // the severity rose
	EventFired        EventKind = "fired"        // it changed from pending to firing
	EventFlapping     EventKind = "flapping"     // a finding appears and disappears
	EventWithdrawn    EventKind = "withdrawn"    // it ended before it fired
	EventResolved     EventKind = "resolved"     // it is resolved
	EventSilenced     EventKind = "silenced"     // receivers are not notified from now on
	EventUnsilenced   EventKind = "unsilenced"   // receivers are notified again from now on
	EventNotified     EventKind = "told"         // a notification was created for a receiver
	EventAcknowledged EventKind = "acknowledged" // somebody takes care of it
	EventNoted        EventKind = "noted"        // somebody added a note
	EventEscalated    EventKind = "escalated"    // nobody has acknowledged it, so a further receiver is notified
	EventUnwatched    EventKind = "unwatched"    // one of its clusters is not watched any more
	EventCut          EventKind = "cut"          // events at this point were removed
)

// worsens reports whether the severity of the incident rose.
func (e Event) worsens() bool { return e.Kind == EventWorsened }

// A Reason names a decision.
type Reason string

// The reasons.
const (
	ReasonNewCause           Reason = "new_cause"            // no open incident has the cause
	ReasonSameCause          Reason = "same_cause"           // the cause is part of the incident
	ReasonOtherCause         Reason = "other_cause"          // the cause is part of another incident
	ReasonCauseFound         Reason = "cause_found"          // the cause appeared later than its effects
	ReasonOneCause           Reason = "one_cause"            // the causes of two incidents have the same cause
	ReasonGone               Reason = "gone"                 // the latest rounds do not show the finding
	ReasonSeen               Reason = "seen"                 // the latest rounds show the finding
	ReasonWorse              Reason = "worse_than_before"    // a finding is more severe than all earlier ones
	ReasonHeld               Reason = "held_long_enough"     // alerting.for has passed
	ReasonCameAndWent        Reason = "came_and_went"        // flapTimes within FlapWindow
	ReasonQuiet              Reason = "quiet_long_enough"    // alerting.resolve_after, or flapQuiet, has passed
	ReasonNotHeld            Reason = "not_held_long_enough" // quiet before alerting.for had passed
	ReasonUnwatched          Reason = "no_longer_watched"    // its cluster is not in the configuration
	ReasonHandedOver         Reason = "handed_over"          // another monitor of the fleet watches its cluster
	ReasonSilence            Reason = "silence"              // a silence or a maintenance window matches
	ReasonDeployment         Reason = "deployment"           // an announced deployment explains it
	ReasonSilenceOver        Reason = "silence_over"         // no silence or deployment applies any more
	ReasonFirst              Reason = "first_notice"         // the receiver was not notified before
	ReasonNews               Reason = "developed"            // there is news, and groupInterval has passed or it is urgent
	ReasonStillFiring        Reason = "still_firing"         // alerting.repeat has passed
	ReasonNotifiedBefore     Reason = "told_before"          // the receiver was notified before, so it is notified of the end
	ReasonAsked              Reason = "asked"                // somebody asked for it
	ReasonNobodyAcknowledged Reason = "not_acknowledged"     // escalate_after of a route has passed
	ReasonBounded            Reason = "timeline_bounded"     // maxEvents
)

// maxEvents bounds a timeline. Of a longer timeline, the beginning and the end are
// kept.
const maxEvents = 200

// keptFirst is the number of events kept from the beginning of a full timeline.
const keptFirst = 50

// byPerson reports whether a person wrote the event.
func (e Event) byPerson() bool { return e.Kind == EventAcknowledged || e.Kind == EventNoted }

// appendEvent appends to a timeline and enforces maxEvents. What people wrote is removed
// last.
func appendEvent(timeline []Event, e Event) []Event {
	timeline = append(timeline, e)
	if len(timeline) <= maxEvents {
		return timeline
	}
	if timeline[keptFirst].Kind != EventCut {
		timeline[keptFirst] = Event{At: timeline[keptFirst].At, Kind: EventCut, Reason: ReasonBounded, Omitted: 1}
	}
	for len(timeline) > maxEvents {
		first := keptFirst + 1
		if n := slices.IndexFunc(timeline[first:], func(e Event) bool { return !e.byPerson() }); n >= 0 {
			first += n
		}
		timeline = slices.Delete(timeline, first, first+1)
		timeline[keptFirst].Omitted++
	}
	timeline[keptFirst].Text = fmt.Sprintf("%d events were removed", timeline[keptFirst].Omitted)
	return timeline
}
