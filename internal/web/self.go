package web

import (
	"context"
	"slices"
	"time"
)

// A selfView is what is wrong with stickwatch itself: messages that nobody got,
// a past that is not kept. Where it cannot tell anybody, the page must.
type selfView struct {
	Undelivered []undelivered // a receiver each, the newest first
	Notes       []selfNote
}

// undelivered are messages that were given up, of one receiver.
type undelivered struct {
	Receiver string
	Count    string
	At       moment // of the newest
	Reason   string // of the newest
	Incident string // of the newest: its id
	Summary  string
}

// A selfNote is a sentence and what was said by whoever knows.
type selfNote struct {
	Mark mark
	Text string
	Said string
}

// Bounds of what is told about dead letters. A message may be tried for three
// days before it is given up.
const (
	lettersAge  = 4 * 24 * time.Hour
	mostLetters = 100
)

func (s *Server) self(ctx context.Context, v viewer) selfView {
	view := selfView{Notes: v.keeping(s.config.Past.Keeping())}
	letters, err := s.config.Past.DeadLetters(ctx, mostLetters)
	if err != nil {
		s.config.Logger.Error("reading dead letters for a page", "err", err)
		return view
	}
	view.Undelivered = v.undelivered(letters)
	return view
}

// undelivered puts the dead letters of a receiver together, the newest first.
func (v viewer) undelivered(letters []DeadLetter) (list []undelivered) {
	count := map[string]int{}
	for _, l := range letters {
		if v.now.Sub(l.At) > lettersAge {
			continue
		}
		receiver := word(l.Receiver)
		if count[receiver]++; count[receiver] == 1 {
			list = append(list, undelivered{
				Receiver: receiver, At: v.moment(l.At), Reason: line(l.Reason),
				Incident: l.Incident.ID, Summary: v.summary(l.Incident),
			})
		}
	}
	for i, u := range list {
		list[i].Count = v.messages(count[u.Receiver])
	}
	return slices.Clip(list)
}

func (v viewer) messages(n int) string {
	if n == 1 {
		return v.say("A message was given up")
	}
	return v.say("%d messages were given up", n)
}

// keeping tells what is wrong with the history.
func (v viewer) keeping(k Keeping) (notes []selfNote) {
	if k.Damage != "" {
		notes = append(notes, selfNote{trouble, v.say("The file of the history is damaged"), long(k.Damage)})
	}
	switch {
	case k.LastError != "" && k.LastWrite.IsZero():
		notes = append(notes, selfNote{trouble, v.say("The history cannot be written"), line(k.LastError)})
	case k.LastError != "":
		notes = append(notes, selfNote{trouble, v.say("The history has not been written since %s", v.clock(k.LastWrite, v.now)), line(k.LastError)})
	}
	if k.Dropped > 0 {
		notes = append(notes, selfNote{Mark: worse, Text: v.say("The history lacks %d probes: the disk was too slow or full", k.Dropped)})
	}
	return notes
}
