package checks

import (
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// A Code names what is wrong. People script against codes: they never change.
type Code string

// Every code there is.
const (
	BalancerDown          Code = "balancer_down"
	BalancerError         Code = "balancer_error"
	NodeDown              Code = "node_down"
	NodePaused            Code = "node_paused"
	DependencyDown        Code = "dependency_down"
	DependencyDisputed    Code = "dependency_disputed"
	PageFailing           Code = "page_failing"
	SessionDrift          Code = "session_drift"
	SessionLost           Code = "session_lost"
	SessionRollback       Code = "session_rollback"
	SessionNotShared      Code = "session_not_shared"
	SessionFailing        Code = "session_failing"
	SessionLeaked         Code = "session_leaked"
	CookieRejected        Code = "cookie_rejected"
	HandshakeBroken       Code = "handshake_broken"
	UpgradeRefused        Code = "upgrade_refused"
	NodeFailingInRotation Code = "node_failing_in_rotation"
	NodeEjected           Code = "node_ejected"
	BalancerSplit         Code = "balancer_split"
	BalancerRemapped      Code = "balancer_remapped"
	DuplicateNodeID       Code = "duplicate_node_id"
	NodeMisidentified     Code = "node_misidentified"
	UnknownNode           Code = "unknown_node"
	VersionSkew           Code = "version_skew"
	SettingsSkew          Code = "settings_skew"
	ClockSkew             Code = "clock_skew"
	StartOrder            Code = "start_order"
	NodeRestarted         Code = "node_restarted"
	StoreFailover         Code = "store_failover"
	Slow                  Code = "slow"
	CertificateExpiring   Code = "certificate_expiring"
	BlindSpot             Code = "blind_spot"

	HistoryDamaged Code = "history_damaged" // of the monitor itself
	ProberImpaired Code = "prober_impaired" // of the monitor itself
)

// A Severity says how soon somebody must look.
type Severity string

// The severities, and their order.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// AtLeast reports whether s is as severe as other.
func (s Severity) AtLeast(other Severity) bool { return s.rank() >= other.rank() }

func (s Severity) rank() int {
	switch s {
	case Critical:
		return 2
	case Warning:
		return 1
	default:
		return 0
	}
}

// A Finding is what observations mean, with what was seen and what to do.
type Finding struct {
	Code       Code
	Severity   Severity
	Node       string   // the node it is about; "" when it is about none, or about several
	Nodes      []string // every node it is about, or that may have caused it, in configuration order
	Dependency string
	Target     string  // what else it is about: a balancer URL, a page; tells findings of one code apart
	Summary    Message // one sentence
	Remedy     Message // one or two sentences
	Evidence   []Message
	Affected   Affected // zero: not estimated
	// When is the moment of an event, such as a restart; zero: it is a state. An event
	// may be found when what brought it about is over.
	When time.Time
	// ExplainedBy is the Key of the finding that causes this one; "": it is a cause itself.
	ExplainedBy string
	// Group joins findings that have one cause which none of them is: AllNodesDown;
	// "": the finding stands for itself.
	Group string
	// Host is the machine that fails: no node of the cluster answers there, as far as
	// they are asked. "": no such machine is known.
	Host string

	// What explanations go by, and nobody is shown.
	erring     bool     // the node answers, with errors
	unanswered bool     // it was asked and did not answer: a node in time, a dependency at all
	store      bool     // the dependency is of a kind that sessions are kept in
	follows    []string // nodes whose failure or return has consequences for clients of others
	waited     bool     // the balancer waited for an answer before each of its errors
	expires    bool     // clocks are so far apart that sessions may be refused
	harm       Span     // from the first failed request of a client to the last; zero: it tells of none
	over       bool     // it held between two rounds, and no longer does
	passing    bool     // it is what follows a failure of the node, and is expected to end by itself
	frontends  []string // names of the balancer's addresses at which it was seen
}

// AllNodesDown is the group of every node_down while no node of the cluster is up.
const AllNodesDown = "all_nodes_down"

// AtBalancer are the findings that clients meet at the balancer while no node of the
// cluster is up, and for as long afterwards as the balancer takes to notice that
// nodes are back.
var AtBalancer = []Code{BalancerDown, BalancerError, PageFailing, HandshakeBroken, UpgradeRefused, BalancerSplit}

// clusterWide findings are one thing, whichever nodes show it in a round.
var clusterWide = []Code{
	SessionDrift, SessionLost, SessionRollback, SessionNotShared, SessionFailing, SessionLeaked,
	BalancerSplit, BalancerRemapped, DuplicateNodeID,
	StoreFailover, VersionSkew, SettingsSkew, ClockSkew,
}

// Key names a finding from one round to the next: code and subject.
func (f Finding) Key() string {
	subject := f.Node
	if slices.Contains(clusterWide, f.Code) {
		subject = ""
	}
	switch {
	case f.Dependency != "":
		subject = f.Dependency
	case subject != "" && f.Target != "":
		subject += " " + f.Target
	case f.Target != "":
		subject = f.Target
	}
	if subject == "" {
		return string(f.Code)
	}
	return fmt.Sprintf("%s/%s", f.Code, subject)
}

// about starts a finding about one node.
func about(code Code, severity Severity, node string) Finding {
	return Finding{Code: code, Severity: severity, Node: node, Nodes: []string{node}}
}

// aboutAll starts a finding about several nodes.
func aboutAll(code Code, severity Severity, nodes []string) Finding {
	f := Finding{Code: code, Severity: severity, Nodes: nodes}
	if len(nodes) == 1 {
		f.Node = nodes[0]
	}
	return f
}

// maxLine bounds each text of a finding, in bytes: labels, reasons and ids in it
// come from configurations and from targets, and there may be many of them.
const maxLine = 2 * probes.MaxError

// sanitized bounds and cleans what the messages of f quote.
func (f Finding) sanitized() Finding {
	f.Summary, f.Remedy = f.Summary.sanitized(), f.Remedy.sanitized()
	f.Evidence = slices.Clone(f.Evidence)
	for i, e := range f.Evidence {
		f.Evidence[i] = e.sanitized()
	}
	return f
}
