package render

import (
	"cmp"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/internal/phrase"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

type wireResults struct {
	Schema     int            `json:"schema"`
	Started    wire.Timestamp `json:"started"`
	DurationMS int64          `json:"duration_ms"`
	Verdict    checks.Verdict `json:"verdict"`
	Answer     *wireAnswer    `json:"answer,omitempty"` // with --watch, over all clusters
	Clusters   []wireCluster  `json:"clusters"`
}

type wireCluster struct {
	wire.Cluster
	Watch *wireWatch `json:"watch,omitempty"` // with --watch
}

func wireResultsOf(r Results, opts Options) wireResults {
	out := wireResults{
		Schema:     wire.SchemaVersion,
		Started:    wire.TimestampOf(r.Started),
		DurationMS: r.Duration.Milliseconds(),
		Verdict:    r.Verdict(),
		Clusters: wire.List(r.Clusters, func(report checks.Report) wireCluster {
			out := wireCluster{Cluster: wire.ClusterOf(report, opts.cluster(report.Cluster))}
			if w, watched := r.Watches[report.Cluster]; watched {
				out.Watch = wireWatchOf(w, r.Command)
			}
			return out
		}),
	}
	if a, watched := r.summary(); watched {
		out.Answer = wireAnswerOf(a)
	}
	return out
}

// A wireAnswer is the summary of a watch: whether users lost their sessions.
type wireAnswer struct {
	Text            string  `json:"text"`
	Sessions        int     `json:"sessions"` // watched; 0: losses are unknown
	Lost            int     `json:"lost"`     // gone or rolled back
	Moved           int     `json:"moved"`    // answered by another node, losses included
	LongestOutageMS float64 `json:"longest_outage_ms"`
	Complete        bool    `json:"complete"` // all nodes could be watched
}

func wireAnswerOf(a gate.Summary) *wireAnswer {
	return &wireAnswer{english.answerText(a), a.Sessions, a.Lost, a.Moved, wire.MS(a.LongestOutage), !a.Incomplete}
}

type wireWatch struct {
	Answer          *wireAnswer      `json:"answer"`
	Started         wire.Timestamp   `json:"started"`
	DurationMS      int64            `json:"duration_ms"`
	Verdict         checks.Verdict   `json:"verdict"`  // of the watch alone
	Requests        int              `json:"requests"` // at the interval; quick retries do not count
	Failed          int              `json:"failed"`
	SessionsOpened  int              `json:"sessions_opened"`
	Moves           []wireMove       `json:"moves"` // sessions that another node answered, oldest first; at most 1000, losses included
	Moved           int              `json:"moved"` // all of them
	Losses          []wireMove       `json:"losses"`
	Lost            int              `json:"lost"`
	LongestOutageMS float64          `json:"longest_outage_ms"` // of any client, from one good answer to the next
	Session         wireOutage       `json:"session_outage"`    // the longest
	NewClient       wireOutage       `json:"newcomer_outage"`
	SlowestMS       float64          `json:"slowest_ms"` // of the good answers
	Clients         []wireClient     `json:"lanes"`
	Nodes           []wireNodeReport `json:"nodes"`
	Guarantees      []wireGuarantee  `json:"promises"`
	Doubts          []string         `json:"doubts"`
	Command         *wireCommandDone `json:"command"` // null: none was run
}

type wireMove struct {
	At      wire.Timestamp     `json:"at"`
	From    string             `json:"from"`
	To      string             `json:"to"` // equal to from: the session was lost on its node
	Kept    bool               `json:"kept"`
	Outcome string             `json:"fate"` // kept, lost, rolled back, unknown
	Cause   gate.Cause         `json:"cause"`
	Why     string             `json:"why"`
	Allowed bool               `json:"allowed"` // by the policy
	Session probes.Fingerprint `json:"session"` // before
}

// A wireOutage began between last_good and first_bad and ended between last_bad and
// first_good. All four are "" without an outage.
type wireOutage struct {
	LastGood  wire.Timestamp `json:"last_good"`  // when that answer was complete
	FirstBad  wire.Timestamp `json:"first_bad"`  // when that request was sent
	LastBad   wire.Timestamp `json:"last_bad"`   // when the last request failed
	FirstGood wire.Timestamp `json:"first_good"` // when that answer was complete; the end of the watch if there was none
	AtLeastMS float64        `json:"at_least_ms"`
	AtMostMS  float64        `json:"at_most_ms"`
	Ongoing   bool           `json:"ongoing"`
	Node      string         `json:"node"`
	Failed    int            `json:"failed"`
	Status    int            `json:"status"` // of the first request that failed
	Error     string         `json:"error"`
}

type wireClient struct {
	Kind     gate.ClientKind `json:"kind"`
	Node     string          `json:"node"`
	Client   string          `json:"client"`
	Balancer string          `json:"balancer"`
	Requests int             `json:"requests"`
	Failed   int             `json:"failed"`
	Outage   wireOutage      `json:"longest_outage"`
}

type wireNodeReport struct {
	ID            string       `json:"id"`
	Downs         []wireOutage `json:"downs"` // by direct requests
	Restarted     bool         `json:"restarted"`
	VersionBefore string       `json:"version_before"`
	VersionAfter  string       `json:"version_after"`
}

type wireGuarantee struct {
	Name     string          `json:"name"`
	Code     checks.Code     `json:"code"`
	Kept     checks.Tristate `json:"kept"`
	Severity checks.Severity `json:"severity"` // if it is broken
	Reasons  []string        `json:"reasons"`
}

type wireCommandDone struct {
	Name       string `json:"name"`
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
}

func wireWatchOf(report gate.Report, command *Command) *wireWatch {
	out := &wireWatch{
		Answer:          wireAnswerOf(report.Summary()),
		Started:         wire.TimestampOf(report.From),
		DurationMS:      report.To.Sub(report.From).Milliseconds(),
		Verdict:         report.Verdict(),
		Requests:        report.Requests,
		Failed:          report.Failed,
		SessionsOpened:  report.Opened,
		Moves:           []wireMove{},
		Moved:           report.Moved,
		Losses:          []wireMove{},
		Lost:            report.Lost,
		LongestOutageMS: wire.MS(report.Summary().LongestOutage),
		Session:         wireOutageOf(report.Session),
		NewClient:       wireOutageOf(report.NewClient),
		SlowestMS:       wire.MS(report.Slowest),
		Clients:         wire.List(report.Clients, wireClientOf),
		Nodes:           wire.List(report.Nodes, wireNodeReportOf),
		Guarantees:      wire.List(report.Guarantees, wireGuaranteeOf),
		Doubts:          wire.List(report.Doubts, wirePhrase),
	}
	for _, m := range report.Moves {
		if m.Moved() {
			out.Moves = append(out.Moves, wireMoveOf(m))
		}
		if m.Lost() {
			out.Losses = append(out.Losses, wireMoveOf(m))
		}
	}
	if command != nil {
		out.Command = &wireCommandDone{wire.Text(command.Name), command.Status, command.Duration.Milliseconds()}
	}
	return out
}

func wireMoveOf(m gate.Move) wireMove {
	return wireMove{
		At: wire.TimestampOf(m.At), From: wire.Text(m.From), To: wire.Text(m.To), Kept: m.Kept(), Outcome: cmp.Or(string(m.SessionOutcome), "unknown"),
		Cause: m.Cause, Why: wirePhrase(m.Reason), Allowed: m.Allowed, Session: m.Session,
	}
}

// wirePhrase returns a text of a watch in English, with times in UTC.
func wirePhrase(p phrase.Phrase) string { return wire.Text(p.String()) }

func wireOutageOf(o gate.Outage) wireOutage {
	return wireOutage{
		LastGood: wire.TimestampOf(o.LastGood), FirstBad: wire.TimestampOf(o.FirstBad), LastBad: wire.TimestampOf(o.LastBad), FirstGood: wire.TimestampOf(o.FirstGood),
		AtLeastMS: wire.MS(o.AtLeast()), AtMostMS: wire.MS(o.AtMost()), Ongoing: o.Ongoing,
		Node: wire.Text(o.Node), Failed: o.Failed, Status: o.Status, Error: wire.Text(o.Error),
	}
}

func wireClientOf(c gate.ClientReport) wireClient {
	return wireClient{
		Kind: c.Kind, Node: wire.Text(c.Node), Client: wire.Text(c.Client), Balancer: wire.Text(c.Frontend),
		Requests: c.Requests, Failed: c.Failed, Outage: wireOutageOf(c.Longest),
	}
}

func wireNodeReportOf(n gate.NodeReport) wireNodeReport {
	return wireNodeReport{
		ID: wire.Text(n.Node), Downs: wire.List(n.Downs, wireOutageOf), Restarted: len(n.Downs) > 0 || !n.Restarted.IsZero(),
		VersionBefore: wire.Text(n.Before), VersionAfter: wire.Text(n.After),
	}
}

func wireGuaranteeOf(g gate.Guarantee) wireGuarantee {
	return wireGuarantee{
		Name: wirePhrase(g.Name), Code: g.Code, Kept: checks.Tristate(answer(g.Kept)), Severity: g.Severity,
		Reasons: wire.List(g.Reasons, wirePhrase),
	}
}
