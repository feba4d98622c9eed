package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/checks"
)

// A Summary has the effects of a deployment on the clients of its cluster.
type Summary struct {
	Deployment
	Counts
	Active []checks.Finding // causes of the incidents that are active, the most severe first, at most MaxActive
	More   int              // the number of further ones
}

// Counts are the recorded effects of a deployment, from its start to the end of its
// grace period.
type Counts struct {
	Moved   int           // sessions that were answered by another node, lost or not
	Lost    int           // sessions that were lost or had stale contents
	Longest time.Duration // the longest time without a successful response through the balancer
}

// MaxActive bounds the findings of a summary.
const MaxActive = 10

// summaryID returns the ID that the notifications of a summary have in place of an
// incident ID. The time distinguishes it from an equal ID in an earlier history.
func summaryID(d Deployment) string { return fmt.Sprintf("deployment-%s-%d", d.ID, d.From.Unix()) }

// merged returns the larger of the recorded counts and those from other sources,
// because each source knows clients that the others do not.
func (c Counts) merged(d Deployment) Counts {
	c.Lost = max(c.Lost, d.CanariesLost)
	if w := d.Watched; w != nil {
		c.Moved, c.Lost, c.Longest = max(c.Moved, w.Moved), max(c.Lost, w.Lost), max(c.Longest, w.Longest)
	}
	return c
}

// SumUp creates the summary of a due deployment and notifies receivers of it. counts
// are those of the history. If the deployment is not due, the decision is empty, so that
// a deployment has one summary.
func (m *Manager) SumUp(at time.Time, id string, counts Counts) Decision {
	n := slices.IndexFunc(m.deployments.list, func(deployment *Deployment) bool { return deployment.ID == id })
	if n < 0 || !slices.ContainsFunc(m.DueSummaries(at), func(deployment Deployment) bool { return deployment.ID == id }) {
		return Decision{}
	}
	deployment := m.deployments.list[n]
	deployment.Summed = at
	m.deployments.forget(at)
	m.deployments.markChanged(deployment)
	decision := m.decide(at)
	decision.Notifications = append(decision.Notifications, m.summaryNotifications(at, m.summary(at, deployment, counts))...)
	return decision
}

func (m *Manager) summary(at time.Time, deployment *Deployment, counts Counts) Summary {
	summary := Summary{Deployment: deployment.clone(), Counts: counts.merged(*deployment)}
	for _, i := range m.openIncidents.concerning(deployment.Cluster) {
		if _, reason, _ := m.suppressedBy(at, i, nil); reason != ReasonDeployment && i.worstOf(deployment.Cluster).AtLeast(checks.Warning) {
			summary.Active = append(summary.Active, i.Cause)
		}
	}
	slices.SortStableFunc(summary.Active, func(a, b checks.Finding) int {
		switch {
		case a.Severity == b.Severity:
			return 0
		case a.Severity.AtLeast(b.Severity):
			return -1
		default:
			return 1
		}
	})
	summary.More = max(0, len(summary.Active)-MaxActive)
	summary.Active = summary.Active[:len(summary.Active)-summary.More]
	return summary
}

// Severity is Warning if sessions were lost or findings are active, else Info.
func (s Summary) Severity() checks.Severity {
	if s.Lost > 0 || len(s.Active) > 0 {
		return checks.Warning
	}
	return checks.Info
}

// summaryNotifications returns notifications for the receivers of warnings of the
// cluster; none if the whole cluster is silenced.
func (m *Manager) summaryNotifications(at time.Time, s Summary) []Notification {
	i := Incident{
		ID: summaryID(s.Deployment), Cluster: s.Cluster, Clusters: []string{s.Cluster}, State: Resolved, Severity: checks.Warning,
		Cause: checks.Finding{Severity: s.Severity(), Summary: checks.Quote(English.Deployment(s))}, Started: s.From, Ended: s.End(),
	}
	if silenceMatchAt(at, m.silences, m.config.Windows).all(s.Cluster) {
		return nil
	}
	i.Findings = []Member{{ActiveFinding: checks.ActiveFinding{Finding: i.Cause, Since: i.Started}, Cluster: s.Cluster, Ended: i.Ended}}
	receivers := m.router.receiversOf(&i)
	i.Severity = s.Severity()
	var notifications []Notification
	for _, receiver := range receivers {
		notifications = append(notifications, Notification{
			ID: NotificationID(i.ID, receiver, 1), Receiver: receiver, Kind: NotificationDeployment, At: at, Incident: i, Deployment: &s,
		})
	}
	return notifications
}

// Deployment formats a summary as one sentence. It may contain text from the
// announcement.
func (l Language) Deployment(s Summary) string {
	if l == Chinese {
		return deploymentInChinese(s)
	}
	parts := []string{
		counted(s.Moved, "session", "sessions") + " moved", strconv.Itoa(s.Lost) + " lost",
		"no outage", "no active findings",
	}
	if s.Longest > 0 {
		parts[2] = "longest outage " + seconds(s.Longest) + " s"
	}
	if active := l.titles(s.Active); active != "" {
		parts[3] = "still active: " + active
	}
	return fmt.Sprintf("deployment %s of %s: %s", s.Name, s.Cluster, strings.Join(parts, ", "))
}

// titles lists the titles of findings, each once.
func (l Language) titles(all []checks.Finding) string {
	var titles []string
	for _, f := range all {
		if title := l.Title(f.Code); !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
	}
	if l == Chinese {
		return strings.Join(titles, "、")
	}
	return strings.ToLower(strings.Join(titles, ", "))
}

func counted(n int, deployment, many string) string {
	if n == 1 {
		return "1 " + deployment
	}
	return strconv.Itoa(n) + " " + many
}

// seconds formats a duration in seconds with one decimal, at least 0.1.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(cmp.Or(d.Round(100*time.Millisecond), 100*time.Millisecond).Seconds(), 'f', -1, 64)
}
