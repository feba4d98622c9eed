package lab

// A gap is why an operation is not notified as it should be.
type gap struct {
	why    string
	always bool // in every run, so that a run that is right is an error: take it out
}

// notMet are the operations that are known to be notified wrongly, by operation
// and balancer. They are played, reported, and listed in SCENARIOS.md.
var notMet = map[string]gap{}
