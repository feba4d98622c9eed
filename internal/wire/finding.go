package wire

import "stickwatch/checks"

// A Finding with its evidence and its remedy.
type Finding struct {
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
	Affected    Affected        `json:"affected,omitzero"`
}

// Affected is how many clients a finding or an incident concerns; it is left out
// where that is not estimated.
type Affected struct {
	Share float64 `json:"share"` // 0..1
	Of    int     `json:"of"`    // observed clients; 0: not known
}

// FindingOf is a finding as programs get it.
func FindingOf(f checks.Finding) Finding {
	return Finding{
		Code:        f.Code,
		Severity:    f.Severity,
		Node:        Field(f.Node),
		Nodes:       List(f.Nodes, Field),
		Dependency:  Field(f.Dependency),
		Target:      Field(f.Target),
		Summary:     Sentence(f.Summary),
		Remedy:      Sentence(f.Remedy),
		Evidence:    List(f.Evidence, Sentence),
		Key:         Field(f.Key()),
		ExplainedBy: Field(f.ExplainedBy),
		Affected:    Affected(f.Affected),
	}
}
