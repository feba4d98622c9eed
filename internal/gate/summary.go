package gate

import "time"

// A Summary answers in numbers whether anybody was thrown out.
type Summary struct {
	Sessions      int           // that were held; 0: nobody can tell
	Lost          int           // sessions that were gone, or came back older
	Moved         int           // how often another node answered a session, lost or not
	LongestOutage time.Duration // of anybody, from one good answer to the next; 0: none
	Incomplete    bool          // something could not be watched
}

// Summary is the report in short.
func (r Report) Summary() Summary {
	s := Summary{
		Lost: r.Lost, Moved: r.Moved, LongestOutage: max(r.Session.AtMost(), r.NewClient.AtMost()), Incomplete: len(r.Doubts) > 0,
	}
	for _, client := range r.Clients {
		s.Sessions += count(client.Kind == KindSession && client.Opened > 0)
	}
	return s
}

// Add is the summary of two clusters.
func (s Summary) Add(t Summary) Summary {
	return Summary{
		Sessions: s.Sessions + t.Sessions, Lost: s.Lost + t.Lost, Moved: s.Moved + t.Moved,
		LongestOutage: max(s.LongestOutage, t.LongestOutage),
		Incomplete:    s.Incomplete || t.Incomplete || (s.Sessions == 0) != (t.Sessions == 0),
	}
}
