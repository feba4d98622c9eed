package web

import (
	"context"
	"slices"
	"time"
)

// A selfHealthView is what is wrong with stickwatch itself: messages that nobody got,
// a past that is not kept. Where it cannot tell anybody, the page must.
type selfHealthView struct {
	Undelivered []undelivered // a receiver each, the newest first
	Notes       []healthNote
}

// undelivered are messages that were given up, of one receiver.
type undelivered struct {
	Receiver string
	Count    string
	At       timestamp // of the newest
	Reason   string    // of the newest
	Incident string    // of the newest: its id
	Summary  string
}

// A healthNote is a sentence and what was said by whoever knows.
type healthNote struct {
	Tone   tone
	Text   string
	Detail string
}

// Bounds of what is told about dead letters. A message may be tried for three
// days before it is given up.
const (
	deadLetterAge  = 4 * 24 * time.Hour
	maxDeadLetters = 100
)

func (s *Server) selfHealth(ctx context.Context, v viewContext) selfHealthView {
	view := selfHealthView{Notes: v.historyProblems(s.config.History.HistoryStatus())}
	deadLetters, err := s.config.History.DeadLetters(ctx, maxDeadLetters)
	if err != nil {
		s.config.Logger.Error("reading dead letters for a page", "err", err)
		return view
	}
	view.Undelivered = v.undelivered(deadLetters)
	return view
}

// undelivered puts the dead letters of a receiver together, the newest first.
func (v viewContext) undelivered(deadLetters []DeadLetter) (list []undelivered) {
	count := map[string]int{}
	for _, l := range deadLetters {
		if v.now.Sub(l.At) > deadLetterAge {
			continue
		}
		receiver := word(l.Receiver)
		if count[receiver]++; count[receiver] == 1 {
			list = append(list, undelivered{
				Receiver: receiver, At: v.timestamp(l.At), Reason: line(l.Reason),
				Incident: l.Incident.ID, Summary: v.summary(l.Incident),
			})
		}
	}
	for i, u := range list {
		list[i].Count = v.messages(count[u.Receiver])
	}
	return slices.Clip(list)
}

func (v viewContext) messages(n int) string {
	if n == 1 {
		return v.translate("A message was given up")
	}
	return v.translate("%d messages were given up", n)
}

// historyProblems tells what is wrong with the history.
func (v viewContext) historyProblems(k HistoryStatus) (notes []healthNote) {
	if k.Damage != "" {
		notes = append(notes, healthNote{toneCritical, v.translate("The file of the history is damaged"), long(k.Damage)})
	}
	switch {
	case k.LastError != "" && k.LastWrite.IsZero():
		notes = append(notes, healthNote{toneCritical, v.translate("The history cannot be written"), line(k.LastError)})
	case k.LastError != "":
		notes = append(notes, healthNote{toneCritical, v.translate("The history has not been written since %s", v.clock(k.LastWrite, v.now)), line(k.LastError)})
	}
	if k.Dropped > 0 {
		notes = append(notes, healthNote{Tone: toneWarning, Text: v.translate("The history lacks %d probes: the disk was too slow or full", k.Dropped)})
	}
	return notes
}
