package alerting

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// unexported ignores the fields of a finding that only its round uses.
var unexported = cmpopts.IgnoreUnexported(checks.Finding{})

// noon is when every test starts.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// usual returns the default rules of the configuration.
func usual() Config {
	return Config{
		Rules: Rules{
			For:          map[checks.Severity]time.Duration{checks.Critical: 0, checks.Warning: 30 * time.Second},
			ResolveAfter: 30 * time.Second,
		},
		Repeat:    4 * time.Hour,
		Receivers: []string{"ops"},
	}
}

// finding parses "critical node_paused/node1 < dependency_down/Redis": severity, key,
// and the key of the explanation.
func finding(t testing.TB, text string) checks.Finding {
	t.Helper()
	text, cause, _ := strings.Cut(text, " < ")
	severity, key, ok := strings.Cut(text, " ")
	code, subject, _ := strings.Cut(key, "/")
	f := checks.Finding{
		Code: checks.Code(code), Severity: checks.Severity(severity), ExplainedBy: cause,
		Summary: checks.Quote("summary of " + key), Remedy: checks.Quote("remedy of " + key),
	}
	if f.Code == checks.DependencyDown {
		f.Dependency = subject
	} else if subject == "after a move" {
		f.Target = subject
	} else if subject != "" {
		f.Node, f.Nodes = subject, []string{subject}
	}
	if !ok || !checks.Known(f.Code) || f.Key() != key {
		t.Fatalf("%q is no finding", text)
	}
	return f
}

// findings parses findings separated by ";".
func findings(t testing.TB, line string) []checks.Finding {
	t.Helper()
	var list []checks.Finding
	for text := range strings.SplitSeq(line, ";") {
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, finding(t, text))
		}
	}
	return list
}

// A rig is a manager with a ledger for each cluster. It takes rounds and returns
// notifications.
type rig struct {
	config  Config
	damping checks.Damping
	manager *Manager
	ledgers map[string]*checks.Ledger
	kept    map[string]Incident   // on the disk, by ID
	ids     []string              // in the order of opening
	touched map[string]Deployment // on the disk, by ID
}

func newRig(c Config) *rig {
	return &rig{config: c, manager: NewManager(c, nil), ledgers: make(map[string]*checks.Ledger), kept: make(map[string]Incident), touched: make(map[string]Deployment)}
}

// see runs a round of a cluster.
func (r *rig) see(at time.Time, cluster string, seen []checks.Finding) []Notification {
	ledger := r.ledgers[cluster]
	if ledger == nil {
		ledger = checks.NewLedger(r.damping)
		r.ledgers[cluster] = ledger
	}
	changes := ledger.Update(checks.Report{Cluster: cluster, Started: at, Findings: seen})
	return r.commit(r.manager.Observe(at, cluster, changes, ledger.Active()))
}

// commit stores a decision.
func (r *rig) commit(decision Decision) []Notification {
	for _, i := range decision.Incidents {
		if _, known := r.kept[i.ID]; !known {
			r.ids = append(r.ids, i.ID)
		}
		r.kept[i.ID] = i
	}
	for _, deployment := range decision.Deployments {
		r.touched[deployment.ID] = deployment
	}
	return decision.Notifications
}

// copied returns an incident after a round trip through JSON, as the history does.
func copied(i Incident) Incident {
	body, err := json.Marshal(i)
	if err != nil {
		panic(err)
	}
	var c Incident
	if err := json.Unmarshal(body, &c); err != nil {
		panic(err)
	}
	return c
}

// restart replaces the manager by one that continues from the stored state.
func (r *rig) restart(at time.Time) {
	var past []Incident
	for _, id := range r.ids {
		if i := r.kept[id]; i.State != Resolved || at.Sub(i.Ended) <= FlapWindow {
			past = append(past, copied(i))
		}
	}
	silences := r.manager.silences
	var announced []Deployment
	for _, deployment := range r.manager.deployments.list {
		kept := deployment.clone()
		seen := r.touched[deployment.ID]
		kept.Touched, kept.CanariesLost, kept.LastLost, kept.Summed = seen.Touched, seen.CanariesLost, seen.LastLost, seen.Summed
		announced = append(announced, kept)
	}
	r.manager = NewManager(r.config, past)
	r.manager.SetSilences(silences)
	r.manager.SetDeployments(announced)
}

// lines formats notifications: "ops fired #1 node_down/node1 warning".
func (r *rig) lines(notifications []Notification) []string {
	var lines []string
	for _, n := range notifications {
		line := fmt.Sprintf("%s %s #%d %s %s", n.Receiver, n.Kind, slices.Index(r.ids, n.Incident.ID)+1, n.Incident.Cause.Key(), n.Incident.Severity)
		if len(n.News) > 0 {
			var news []string
			for _, e := range n.News {
				news = append(news, strings.TrimSpace(string(e.Kind)+" "+e.Finding))
			}
			line += " [" + strings.Join(news, ", ") + "]"
		}
		lines = append(lines, line)
	}
	return lines
}

// A testCase is a step of a test. active is "" for no findings and "…" if only time
// passes.
type testCase struct {
	at     time.Duration
	active string
	want   []string
}

const onlyTime = "…"

// play runs test cases, with or without a restart after each.
func (r *rig) play(t *testing.T, testCases []testCase, restarts bool) {
	t.Helper()
	for _, s := range testCases {
		at := noon.Add(s.at)
		var notifications []Notification
		if s.active == onlyTime {
			notifications = r.commit(r.manager.Tick(at))
		} else {
			notifications = r.see(at, "shop", findings(t, s.active))
		}
		expect.Equal(t, fmt.Sprintf("at %s", s.at), s.want, r.lines(notifications))
		if restarts {
			r.restart(at)
		}
	}
}

// timelineLines formats a timeline: "opened node_down/node1 new_cause".
func timelineLines(timeline []Event) []string {
	var lines []string
	for _, e := range timeline {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprint(e.Kind, " ", e.Finding, " ", e.Reason)), " "))
	}
	return lines
}
