package web

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A clusterTable lists many clusters with a row each. Unless a span is selected, it is made from the
// current state alone, so that it costs the same however long the history is.
type clusterTable struct {
	Query  string // part of a name that the rows must contain
	State  string // verdict of the rows; "": any
	Range  string // value of the selected span; "": none
	States []verdictLink
	Ranges []rangeLink
	Span   string // label of the selected span; "": none
	Rows   []clusterRow
}

// A verdictLink selects the clusters with a verdict.
type verdictLink struct {
	Name    string
	Count   int
	Link    string
	Current bool
}

// A clusterRow is a cluster in the table.
type clusterRow struct {
	Name     string
	Link     string
	Tone     tone
	Verdict  string
	Since    timestamp
	Stale    bool
	Cause    string // "": nothing needs attention
	Affected string // "": no estimate
	Nodes    string
	Sessions verdictCell
	Latency  *percentiles // of the balancer; nil: no span is selected
}

// verdictsWorstFirst are the verdicts that can be selected, the worst first.
var verdictsWorstFirst = []checks.Verdict{checks.Failing, checks.Degraded, checks.Inconclusive, checks.Healthy}

// maxQuery bounds the searched part of a name, in bytes.
const maxQuery = 100

// clusterTable returns the table of the clusters that the query of a request selects. The history is that of a
// selected span, or nil.
func (v viewContext) clusterTable(snapshots []Snapshot, query url.Values, history *clusterHistory) *clusterTable {
	table := &clusterTable{Query: probes.Clean(strings.TrimSpace(query.Get("q")), maxQuery)}
	selected := rangeOf(query.Get("range"))
	if history != nil {
		table.Range, table.Span = query.Get("range"), v.window(history.span)
	}
	count := make(map[checks.Verdict]int)
	var named []Snapshot
	for _, s := range snapshots {
		if strings.Contains(strings.ToLower(s.Cluster.Name), strings.ToLower(table.Query)) {
			named = append(named, s)
			count[verdictOf(s)]++
		}
	}
	table.States = append(table.States, verdictLink{v.translate("all"), len(named), table.link(""), true})
	for _, state := range verdictsWorstFirst {
		current := query.Get("state") == string(state)
		if current {
			table.State, table.States[0].Current = string(state), false
		}
		table.States = append(table.States, verdictLink{v.translate(string(state)), count[state], table.link(string(state)), current})
	}
	for _, s := range named {
		if table.State == "" || table.State == string(verdictOf(s)) {
			row := v.clusterRow(s)
			if history != nil {
				row.Latency = new(v.percentiles(history.balancers[s.Cluster.Name]))
			}
			table.Rows = append(table.Rows, row)
		}
	}
	table.Ranges = v.rangeLinks("/", table.query(table.State), v.translate("not shown"), selected)
	return table
}

// link returns a link to the clusters with a verdict.
func (t *clusterTable) link(state string) string { return with("/", t.query(state), "state", state) }

// query returns the query of the page with the clusters with a verdict.
func (t *clusterTable) query(state string) url.Values {
	values := url.Values{}
	for key, value := range map[string]string{"q": t.Query, "state": state, "range": t.Range} {
		if value != "" {
			values.Set(key, value)
		}
	}
	return values
}

func (v viewContext) clusterRow(snapshot Snapshot) clusterRow {
	row := clusterRow{
		Name: snapshot.Cluster.Name, Link: clusterLink(snapshot.Cluster.Name),
		Tone: toneOfVerdict(snapshot.Report.Verdict), Verdict: v.translate(string(verdictOf(snapshot))), Since: v.timestamp(snapshot.Since),
		Stale: v.stale(snapshot), Cause: v.cause(snapshot), Sessions: v.sticky(snapshot.Report.Session),
	}
	if root, found := rootProblem(snapshot); found {
		row.Affected = v.affected(root.Affected)
	}
	up := 0
	for _, n := range snapshot.Report.Nodes {
		if n.Up {
			up++
		}
	}
	row.Nodes = fmt.Sprintf("%d/%d", up, len(snapshot.Cluster.Nodes))
	if !hasSessions(snapshot) {
		row.Sessions = verdictCell{Label: "–"}
	}
	return row
}

// needsAttention reports whether a finding is a root cause at warning or above.
func needsAttention(f checks.Finding) bool {
	return f.ExplainedBy == "" && f.Severity.AtLeast(checks.Warning)
}

// rootProblem returns the most important finding of a cluster that needs attention. Findings
// are sorted by severity, causes first. If only consequences need attention, it is the cause,
// such as an ejection that is not long enough for a warning yet.
func rootProblem(s Snapshot) (f checks.Finding, found bool) {
	findings := s.Report.Findings
	i := slices.IndexFunc(findings, needsAttention)
	if verdict := s.Report.Verdict; i < 0 && (verdict == checks.Failing || verdict == checks.Degraded) {
		root := func(f checks.Finding) bool { return f.ExplainedBy == "" }
		i = slices.IndexFunc(findings, func(f checks.Finding) bool {
			return root(f) && slices.ContainsFunc(findings, func(other checks.Finding) bool { return other.ExplainedBy == f.Key() })
		})
		if i < 0 {
			i = slices.IndexFunc(findings, root)
		}
	}
	if i < 0 {
		return checks.Finding{}, false
	}
	return findings[i], true
}

// worstFirst orders clusters by how much they need attention: one that cannot be judged comes
// before a healthy one, and of two failing ones the one with more affected clients first.
func worstFirst(a, b Snapshot) int {
	attention := func(s Snapshot) int { return slices.Index(verdictsWorstFirst, verdictOf(s)) }
	share := func(s Snapshot) float64 {
		f, _ := rootProblem(s)
		return f.Affected.Share
	}
	return cmp.Or(cmp.Compare(attention(a), attention(b)), cmp.Compare(share(b), share(a)))
}
