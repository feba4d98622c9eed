package web

import (
	"time"

	"stickwatch/checks"
)

type wireFinding struct {
	Code        checks.Code     `json:"code"`
	Severity    checks.Severity `json:"severity"`
	Node        string          `json:"node"`
	Nodes       []string        `json:"nodes"`
	Dependency  string          `json:"dependency"`
	Target      string          `json:"target"` // what else it is about, such as a page
	Summary     string          `json:"summary"`
	Remedy      string          `json:"remedy"`
	Evidence    []string        `json:"evidence"`
	Key         string          `json:"key"`          // names it from one round to the next
	ExplainedBy string          `json:"explained_by"` // the key of its cause
	Since       string          `json:"since"`        // first sight; "": not known
}

func wireFindingOf(f checks.Finding, since time.Time) wireFinding {
	return wireFinding{
		Code:        f.Code,
		Severity:    f.Severity,
		Node:        field(f.Node),
		Nodes:       wireList(f.Nodes, field),
		Dependency:  field(f.Dependency),
		Target:      field(f.Target),
		Summary:     field(f.Summary),
		Remedy:      field(f.Remedy),
		Evidence:    wireList(f.Evidence, field),
		Key:         field(f.Key()),
		ExplainedBy: field(f.ExplainedBy),
		Since:       wireTime(since),
	}
}

// sinceByKey tells since when each finding has held.
func sinceByKey(standing []checks.Standing) map[string]time.Time {
	since := make(map[string]time.Time, len(standing))
	for _, s := range standing {
		since[s.Key()] = s.Since
	}
	return since
}
