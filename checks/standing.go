package checks

import "time"

// A ActiveFinding is a finding that holds from one round to the next.
type ActiveFinding struct {
	Finding
	Since time.Time // when the first round that saw it began
	Last  time.Time // when the newest round that saw it began
}

// A ChangeKind says what became of a standing finding.
type ChangeKind string

// The kinds of change.
const (
	Appeared ChangeKind = "appeared"
	Altered  ChangeKind = "altered" // another severity, cause or set of nodes
	Gone     ChangeKind = "gone"
)

// A Change is the difference that a round made to what stands.
type Change struct {
	Kind ChangeKind
	ActiveFinding
	// At is when it came true, which may be a few rounds ago: of Appeared, Since;
	// of Gone, when the first round that missed the finding began.
	At     time.Time
	Reason string // why it is believed, in one line
}
