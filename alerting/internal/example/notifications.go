// Package example has notifications for the tests of receivers: an incident from
// start to end, and one from a hostile target.
package example

import (
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// Start is when the incidents of this package started.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Receiver is the receiver of the notifications.
const Receiver = "ops"

// Fired is sent when a dependency is down and two nodes are paused.
func Fired() alerting.Notification {
	return newNotification(alerting.NotificationFired, incident(), 1, 2*time.Second)
}

// Developed is sent when a third node is paused and the first runs again.
func Developed() alerting.Notification {
	n := newNotification(alerting.NotificationDeveloped, incident(), 2, 40*time.Second)
	n.Incident.Findings[1].Ended = Start.Add(30 * time.Second)
	n.Incident.Findings = append(n.Incident.Findings, member(paused("node3"), 20*time.Second))
	n.News = []alerting.Event{
		{At: Start.Add(20 * time.Second), Kind: alerting.EventJoined, Finding: "node_paused/node3", Text: paused("node3").Summary.String(), Reason: alerting.ReasonSameCause},
		{At: Start.Add(30 * time.Second), Kind: alerting.EventLeft, Finding: "node_paused/node1", Text: paused("node1").Summary.String(), Reason: alerting.ReasonGone},
	}
	return n
}

// Acknowledged is sent when somebody acknowledges the incident.
func Acknowledged() alerting.Notification {
	n := newNotification(alerting.NotificationDeveloped, Developed().Incident, 3, time.Minute)
	n.Incident.Acknowledged = alerting.Acknowledgement{At: Start.Add(time.Minute), By: "张三", Note: "restarting Redis"}
	n.News = []alerting.Event{{At: Start.Add(time.Minute), Kind: alerting.EventAcknowledged, Detail: "张三: restarting Redis", Text: "acknowledged by 张三: restarting Redis", Reason: alerting.ReasonAsked}}
	return n
}

// Reminder is sent four hours after the start instead of Acknowledged, so it has the same number: nobody has
// acknowledged the incident, which is still firing, and flapping.
func Reminder() alerting.Notification {
	n := newNotification(alerting.NotificationReminder, Developed().Incident, 3, 4*time.Hour)
	n.Incident.Flapping = true
	return n
}

// Resolved is sent when the incident is resolved.
func Resolved() alerting.Notification {
	n := newNotification(alerting.NotificationResolved, Developed().Incident, 4, 5*time.Hour)
	n.Incident.State = alerting.Resolved
	n.Incident.Ended = Start.Add(4*time.Hour + 59*time.Minute + 30*time.Second)
	for i := range n.Incident.Findings {
		n.Incident.Findings[i].Ended = n.Incident.Ended
	}
	n.News = []alerting.Event{
		{At: n.Incident.Ended, Kind: alerting.EventLeft, Finding: "dependency_down/Redis Server", Text: n.Incident.Cause.Summary.String(), Reason: alerting.ReasonGone},
	}
	return n
}

// Machine is sent when nodes of two clusters are down because of one host.
func Machine() alerting.Notification {
	down := func(cluster, node string) alerting.Member {
		m := member(checks.Finding{
			Code: checks.NodeDown, Severity: checks.Warning, Node: node, Nodes: []string{node}, Host: "10.0.0.5",
			Summary: message(checks.MsgNodeSilent, checks.Args{Node: node, Reason: "10.0.0.5:8080: connection refused"}),
			Remedy:  message(checks.MsgStartApplication, checks.Args{Address: "10.0.0.5:8080"}),
		}, 0)
		m.Cluster = cluster
		return m
	}
	members := []alerting.Member{down("shop", "node2"), down("crm", "node1"), down("crm", "node2")}
	return newNotification(alerting.NotificationFired, alerting.Incident{
		ID: "20260301T120000-7a1b", Cluster: "shop", Clusters: []string{"shop", "crm"}, Host: "10.0.0.5", State: alerting.Firing,
		Severity: checks.Warning, Cause: members[0].Finding, Started: Start, Fired: Start.Add(30 * time.Second), Findings: members,
	}, 1, 40*time.Second)
}

// Nodes is sent when two nodes of a cluster went down together.
func Nodes() alerting.Notification {
	down := func(node string, after time.Duration) alerting.Member {
		return member(checks.Finding{
			Code: checks.NodeDown, Severity: checks.Warning, Node: node, Nodes: []string{node},
			Summary:  message(checks.MsgNodeSilent, checks.Args{Node: node, Reason: "connection refused"}),
			Remedy:   message(checks.MsgStartApplication, checks.Args{Address: node + ":8080"}),
			Evidence: []checks.Message{message(checks.MsgAskedDirectly, checks.Args{Why: new(message(checks.MsgExchange, checks.Args{Path: "/", Reason: "connection refused", At: Start.Add(after)}))})},
		}, after)
	}
	members := []alerting.Member{down("node1", 0), down("node4", 20*time.Second)}
	return newNotification(alerting.NotificationFired, alerting.Incident{
		ID: "20260301T120000-9c3d", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Firing,
		Severity: checks.Warning, Cause: members[0].Finding, Started: Start, Fired: Start.Add(30 * time.Second), Findings: members,
	}, 1, 50*time.Second)
}

// NodesDeveloped is sent when the first of the two nodes of Nodes is up again.
func NodesDeveloped() alerting.Notification {
	n := newNotification(alerting.NotificationDeveloped, Nodes().Incident, 2, 2*time.Minute)
	first := &n.Incident.Findings[0]
	first.Ended = Start.Add(100 * time.Second)
	n.News = []alerting.Event{{At: first.Ended, Kind: alerting.EventLeft, Finding: first.Key(), Text: first.Summary.String(), Reason: alerting.ReasonGone}}
	return n
}

// NodesResolved is sent when both nodes of Nodes are up again.
func NodesResolved() alerting.Notification {
	n := newNotification(alerting.NotificationResolved, NodesDeveloped().Incident, 3, 5*time.Minute)
	n.Incident.State, n.Incident.Ended = alerting.Resolved, Start.Add(4*time.Minute)
	n.Incident.Findings[1].Ended = n.Incident.Ended
	return n
}

// Deployment is sent after a deployment that restarted three nodes, one of which is slow.
func Deployment() alerting.Notification {
	s := alerting.Summary{
		Deployment: alerting.Deployment{
			ID: "7", Cluster: "shop", Name: "4.2", From: Start, To: Start.Add(9 * time.Minute), Touched: []string{"node1", "node2", "node3"},
		},
		Counts: alerting.Counts{Moved: 12, Lost: 3, Longest: 3400 * time.Millisecond},
		Active: []checks.Finding{{
			Code: checks.Slow, Severity: checks.Warning, Node: "node2", Nodes: []string{"node2"}, Summary: message(checks.MsgSlowNode, checks.Args{Node: "node2", Duration: 2400 * time.Millisecond, Limit: 2 * time.Second}),
		}},
	}
	n := newNotification(alerting.NotificationDeployment, alerting.Incident{
		ID: "deployment-7", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Resolved, Severity: s.Severity(), Started: s.From, Ended: s.To,
		Cause: checks.Finding{Severity: s.Severity(), Summary: checks.Quote(alerting.English.Deployment(s))},
	}, 1, 10*time.Minute)
	n.Deployment = &s
	n.Incident.Findings = []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: n.Incident.Cause, Since: s.From}, Cluster: "shop", Ended: s.To}}
	return n
}

// Hostile has malicious text from a target in every field.
func Hostile() alerting.Notification {
	n := Developed()
	evil := "<!channel> @here </b><a href=x>&amp; `code` \x1b[31m\u202e<https://evil.example|click>\n*bold* " + strings.Repeat("界", 2000)
	n.Incident.Cluster = evil
	n.Incident.MergedInto = evil
	n.Incident.Acknowledged = alerting.Acknowledgement{At: Start, By: evil, Note: evil}
	f := checks.Finding{
		Code: checks.NodePaused, Severity: checks.Critical, Node: evil, Nodes: []string{evil, evil}, Dependency: evil, Target: evil,
		Summary: checks.Quote(evil), Remedy: message(checks.MsgReadNodeLog, checks.Args{Node: evil}), Evidence: slices.Repeat([]checks.Message{checks.Quote(evil)}, 5),
	}
	n.Incident.Cause = f
	n.Incident.Findings = []alerting.Member{member(f, 0)}
	for _, e := range checks.Catalogue {
		f.Code = e.Code
		n.Incident.Findings = append(n.Incident.Findings, member(f, 0))
	}
	for range 40 {
		n.News = append(n.News, alerting.Event{At: Start, Kind: alerting.EventJoined, Finding: evil, Text: evil})
	}
	return n
}

func newNotification(kind alerting.NotificationKind, i alerting.Incident, number int, after time.Duration) alerting.Notification {
	return alerting.Notification{
		ID: alerting.NotificationID(i.ID, Receiver, number), Receiver: Receiver, Kind: kind, At: Start.Add(after), Incident: i, Attempts: 1,
	}
}

func incident() alerting.Incident {
	cause := checks.Finding{
		Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis Server", Nodes: []string{"node1", "node2"},
		Summary: message(checks.MsgDependencyUnavailable, checks.Args{Name: "Redis Server", Nodes: []string{"node1", "node2"}}),
		Remedy:  message(checks.MsgBringDependencyBack, checks.Args{Name: "Redis Server"}),
		Evidence: []checks.Message{
			message(checks.MsgDependencySilent, checks.Args{Reason: "redis://10.0.0.5:6379: connection refused"}),
			pausedAt("node1"), pausedAt("node2"),
			checks.Quote("12:00:01 redis://10.0.0.5:6379: connection refused"),
			checks.Quote("12:00:02 redis://10.0.0.5:6379: connection refused"),
		},
		Affected: checks.Affected{Share: 0.32, Of: 25},
	}
	return alerting.Incident{
		ID: "20260301T120000-5f2c", Cluster: "shop", Clusters: []string{"shop"}, State: alerting.Firing, Severity: checks.Critical,
		Cause: cause, Started: Start, Fired: Start.Add(time.Second),
		Findings: []alerting.Member{member(cause, 0), member(paused("node1"), 0), member(paused("node2"), time.Second)},
		Notified: []alerting.Notified{{Receiver: Receiver, Notifications: 1}},
	}
}

func paused(node string) checks.Finding {
	return checks.Finding{
		Code: checks.NodePaused, Severity: checks.Critical, Node: node, Nodes: []string{node},
		Summary: message(checks.MsgNodePaused, checks.Args{Node: node, State: "paused", Reason: unavailable}), Remedy: message(checks.MsgBringBackReason, checks.Args{}),
		Evidence: []checks.Message{pausedAt(node)}, ExplainedBy: "dependency_down/Redis Server",
	}
}

const unavailable = "Redis Server is not available"

func pausedAt(node string) checks.Message {
	status := message(checks.MsgExchange, checks.Args{Path: "/status", Status: 200, At: Start})
	reported := message(checks.MsgStatusSaid, checks.Args{Why: &status, State: "paused", Reason: unavailable})
	return message(checks.MsgNodeBecause, checks.Args{Node: node, Why: &reported})
}

func message(id checks.MessageID, args checks.Args) checks.Message {
	return checks.Message{ID: id, Args: args}
}

func member(f checks.Finding, after time.Duration) alerting.Member {
	since := Start.Add(after)
	return alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f, Since: since, Last: since}, Cluster: "shop", Appearances: []time.Time{since}}
}

// Now returns a notification as sent now, for receivers that are searched by time.
func Now(n alerting.Notification) alerting.Notification {
	n.At = time.Now()
	return n
}
