package gate

import "time"

// A Summary is the number of users affected.
type Summary struct {
	Sessions      int           // sessions watched; 0: unknown whether any was lost
	Lost          int           // sessions that were gone or stale
	Moved         int           // answers to a session by another node, lost or not
	LongestOutage time.Duration // of any client, from one good answer to the next; 0: none
	Incomplete    bool          // something could not be watched
}

// Summary summarises the report.
func (r Report) Summary() Summary {
	s := Summary{
		Lost: r.Lost, Moved: r.Moved, LongestOutage: max(r.Session.AtMost(), r.NewClient.AtMost()), Incomplete: len(r.Doubts) > 0,
	}
	for _, client := range r.Clients {
		s.Sessions += count(client.Kind == KindSession && client.Opened > 0)
	}
	return s
}

// Add returns the summary of two clusters.
func (s Summary) Add(t Summary) Summary {
	return Summary{
		Sessions: s.Sessions + t.Sessions, Lost: s.Lost + t.Lost, Moved: s.Moved + t.Moved,
		LongestOutage: max(s.LongestOutage, t.LongestOutage),
		Incomplete:    s.Incomplete || t.Incomplete || (s.Sessions == 0) != (t.Sessions == 0),
	}
}
