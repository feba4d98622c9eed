package checks

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stickwatch/probes"
)

// A Code names a problem. Users script against codes, so they never change.
type Code string

// All codes.
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
	LoginFailing          Code = "login_failing"
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
	NodesChanged          Code = "nodes_changed"
	DiscoveryFailing      Code = "discovery_failing"
	StoreFailover         Code = "store_failover"
	Slow                  Code = "slow"
	CertificateExpiring   Code = "certificate_expiring"
	BlindSpot             Code = "blind_spot"
	SiteDisagreement      Code = "site_disagreement" // found by no round, but by a SiteLedger

	HistoryDamaged Code = "history_damaged" // about the monitor itself
	ProberImpaired Code = "prober_impaired" // about the monitor itself

	ProberOverloaded Code = "prober_overloaded" // about the monitor itself
)

// A Severity says how urgent a finding is.
type Severity string

// The severities, the least first.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// AtLeast reports whether s is at least as severe as other.
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

// A Finding is a problem, with the evidence for it and a remedy.
type Finding struct {
	Code       Code
	Severity   Severity
	Node       string   // the node it is about; "": none, or several
	Nodes      []string // nodes it is about, or that may have caused it, in configuration order
	Dependency string
	Target     string  // what else it is about, such as a balancer URL or a page; distinguishes findings of one code
	Summary    Message // one sentence
	Remedy     Message // one or two sentences
	Evidence   []Message
	Affected   Affected // zero: not estimated
	// When is the moment of an event, such as a restart; zero: the finding is a
	// state. An event may be found after its cause has ended.
	When time.Time
	// Began is when an event began that lasted until When; zero: it was a moment, or the
	// beginning is not known.
	Began time.Time
	// Times are the restarts that make a crash loop; nil: it is another finding.
	Times []time.Time
	// CostFollows is true of a restart that has cost sessions: a finding sums them up, with those
	// of other nodes that restart at about that time, as soon as clients lose no more.
	CostFollows bool `json:",omitempty"`
	// ExplainedBy is the Key of the finding that causes this one; "": it is a cause
	// itself.
	ExplainedBy string
	// Group joins findings with a common cause that none of them is: AllNodesDown;
	// "": none.
	Group string
	// Host is the machine that fails: no node of the cluster on it answers. "": not
	// known.
	Host string

	facts    facts
	observed observed
}

// facts are what explain knows of a finding beside its subject. They are neither shown nor stored.
type facts struct {
	erring          bool          // a node or a page answers with errors of the server
	unanswered      bool          // a node did not answer in time, or a dependency did not answer
	store           bool          // the dependency is of a kind that stores sessions
	follows         []string      // nodes whose failure or return affects clients of other nodes
	onlyWithSession bool          // the balancer waited for a node in vain, for clients that hold a session only
	retried         bool          // the balancer answered after as many whole seconds as it waits before it tries again
	waited          bool          // the balancer waited for an answer before each of its errors
	serverAdded     bool          // a server was added to the balancer's list, as far as is known
	roamed          bool          // several nodes had answered each of the clients that met older contents
	expires         bool          // clocks are so far apart that sessions may be refused
	refused         bool          // the certificate has expired, so that clients refuse it
	byLoss          bool          // only sessions that are lost show that addresses disagree
	frontends       []string      // names of the balancer addresses at which it was seen
	firstPacketLost time.Time     // when the first of the remembered packets was lost
	aftermath       time.Duration // how long after a restart, or a harm by a crash loop, clients may meet its consequences

	unprovoked bool // the balancer ejected a node that had not failed
	passing    bool // an ejection follows a failure and is expected to end by itself; verdict reads it, too
	ended      bool // an ejection lasted between two rounds, and no longer does; verdict reads it, too
}

// observed says when a finding was observed, for the Ledger to confirm it.
type observed struct {
	harm          Span          // from the first failed request of a client to the last; zero: none failed
	firstEvidence time.Time     // earliest evidence in the round; zero: not known
	checkedAt     time.Time     // when the checks that show it were made, which rounds may judge again; zero: each round has its own
	pause         time.Duration // how long the clients that show it had sent no request; zero: one of them was active
}

// AllNodesDown is the group of every node_down while no node of the cluster is up and the
// balancer serves nobody.
const AllNodesDown = "all_nodes_down"

// Key identifies a finding from one round to the next, by code and subject.
func (f Finding) Key() string {
	subject := f.Node
	if f.Code.has(clusterWide) {
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

// about returns a finding about one node.
func about(code Code, severity Severity, node string) Finding {
	return Finding{Code: code, Severity: severity, Node: node, Nodes: []string{node}}
}

// aboutFrontend returns a finding about an address of the balancer.
func aboutFrontend(code Code, severity Severity, front frontend) Finding {
	return Finding{Code: code, Severity: severity, Target: front.name}
}

// aboutAll returns a finding about several nodes.
func aboutAll(code Code, severity Severity, nodes []string) Finding {
	f := Finding{Code: code, Severity: severity, Nodes: nodes}
	if len(nodes) == 1 {
		f.Node = nodes[0]
	}
	return f
}

// maxLine is the maximum length of each text of a finding, in bytes. Labels, reasons
// and ids come from configurations and targets, and may be long or many.
const maxLine = 2 * probes.MaxError

// sanitized returns f with quoted texts bounded and cleaned.
func (f Finding) sanitized() Finding {
	f.Summary, f.Remedy = f.Summary.sanitized(), f.Remedy.sanitized()
	f.Evidence = slices.Clone(f.Evidence)
	for i, e := range f.Evidence {
		f.Evidence[i] = e.sanitized()
	}
	return f
}

// Affected estimates how many clients a finding concerns.
type Affected struct {
	Share float64 // of clients, in [0, 1]
	Of    int     // number of observed clients that it is estimated from; 0: not known
}

// Estimated reports whether there is an estimate. None of many observed clients is an
// estimate, too.
func (a Affected) Estimated() bool { return a.Share > 0 || a.Of > 0 }

// Worse returns the larger of two estimates; of equal shares the one from more
// clients. A missing estimate is the smallest.
func (a Affected) Worse(b Affected) Affected {
	if cmp.Or(cmp.Compare(a.Share, b.Share), cmp.Compare(a.Of, b.Of)) < 0 {
		return b
	}
	return a
}
