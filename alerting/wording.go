package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stickwatch/checks"
)

// A Language is the language of notifications.
type Language checks.Language

// The languages. Any other value means English.
const (
	English = Language(checks.English)
	Chinese = Language(checks.Chinese)
)

// Translate renders a message. It may hold names that came from a target.
func (l Language) Translate(m checks.Message) string { return m.In(checks.Language(l)) }

// Title returns the title of a code, such as "Session drift". A code without a title
// is formatted as words.
func (l Language) Title(c checks.Code) string {
	if title := titlesInChinese[c]; l == Chinese && title != "" {
		return title
	}
	words := strings.ReplaceAll(string(c), "_", " ")
	return strings.ToUpper(words[:min(1, len(words))]) + words[min(1, len(words)):]
}

// several has the sentence about several nodes with the same failure; the key reports
// whether it is Chinese.
var several = map[bool]map[checks.Code]string{
	false: {
		checks.NodeDown:              "%d nodes are down: %s",
		checks.NodeFailingInRotation: "%d nodes fail, and the balancer still sends them requests: %s",
		checks.NodeEjected:           "%d nodes are healthy when asked directly, and the balancer sends them nothing: %s",
		checks.Slow:                  "%d nodes are slow: %s",
	},
	true: {
		checks.NodeDown:              "%d 个节点不可用：%s",
		checks.NodeFailingInRotation: "%d 个节点异常，但仍在接收流量：%s",
		checks.NodeEjected:           "%d 个节点直接访问正常，但负载均衡器不向其转发请求：%s",
		checks.Slow:                  "%d 个节点响应缓慢：%s",
	},
}

// Summary describes an incident in one sentence: the summary of its cause or, if
// several findings are the same failure, what they have in common. It may contain
// text from a target.
func (l Language) Summary(incident Incident) string {
	failures, _ := incident.Failures()
	onHost := slices.DeleteFunc(slices.Clone(failures), func(m Member) bool { return m.Host != incident.Host })
	switch {
	case incident.Host != "" && len(incident.Clusters) > 1 && len(onHost) > 0:
		nodes := l.namesOf(incident, onHost)
		if l == Chinese {
			return fmt.Sprintf("主机 %s 已宕机，涉及 %s", incident.Host, nodes)
		}
		return fmt.Sprintf("machine %s is down: %s", incident.Host, nodes)
	case failures[0].Group == checks.AllNodesDown:
		if l == Chinese {
			return "所有节点均不可用：" + l.namesOf(incident, failures)
		}
		return "no node is up: " + l.namesOf(incident, failures)
	case len(failures) > 1:
		return fmt.Sprintf(several[l == Chinese][incident.Cause.Code], len(failures), l.namesOf(incident, failures))
	default:
		return l.Translate(failures[0].Summary)
	}
}

// Advice returns the remedy for an incident, one or two sentences. It may contain
// text from a target.
func (l Language) Advice(i Incident) string {
	advised := i.advised()
	failures, _ := i.Failures()
	if advised.Code != checks.NodeDown {
		return l.Translate(advised.Remedy)
	}
	switch {
	case i.Host != "" && len(i.Clusters) > 1 && l == Chinese:
		return fmt.Sprintf("请检查主机 %s：是否开机、网络与防火墙是否正常；主机恢复后，请确认其上的应用均已启动。", i.Host)
	case i.Host != "" && len(i.Clusters) > 1:
		return fmt.Sprintf("Check the machine %s: power, network, firewall. When it is back, check that its applications run.", i.Host)
	case len(failures) > 1 && l == Chinese:
		return "请检查各节点的共同之处：刚刚的发布或配置变更、共用的依赖服务、网络与防火墙；然后启动应用。"
	case len(failures) > 1:
		return "Check what the nodes have in common: a deployment or a change of configuration, a dependency, the network. Then start the applications."
	default:
		return l.Translate(advised.Remedy)
	}
}

// namesOf lists the nodes of the findings of an incident, with their clusters if it
// concerns several.
func (l Language) namesOf(i Incident, members []Member) string {
	var names []string
	for _, m := range members {
		names = append(names, l.Of(i, m.Cluster, m.Node))
	}
	if l == Chinese {
		return strings.Join(names, "、")
	}
	return strings.Join(names, ", ")
}

// Of returns a name with its cluster if the incident concerns several clusters.
func (l Language) Of(i Incident, cluster, name string) string {
	switch {
	case len(i.Clusters) < 2:
		return name
	case l == Chinese:
		return cluster + " 的 " + name
	default:
		return name + " of " + cluster
	}
}

// Event describes an event in one sentence. It may contain text from a target.
func (l Language) Event(e Event) string {
	if cluster := e.Cluster; cluster != "" {
		e.Cluster = ""
		return fmt.Sprintf(eventsOfClusters[l == Chinese], cluster, l.Event(e))
	}
	if l == Chinese {
		return cmp.Or(eventInChinese(e), e.Text)
	}
	if format := eventsInEnglish[e.Kind]; format != "" {
		return fmt.Sprintf(format, e.Text)
	}
	return e.Text
}

// eventsOfClusters prefixes an event with its cluster; the key reports whether it is
// Chinese.
var eventsOfClusters = map[bool]string{false: "%s: %s", true: "%s：%s"}

// eventsInEnglish prefix events whose text is only the summary of a finding.
var eventsInEnglish = map[EventKind]string{
	EventOpened:    "started: %s",
	EventJoined:    "joined: %s",
	EventLeft:      "ended: %s",
	EventReturned:  "active again: %s",
	EventMoved:     "has another cause: %s",
	EventAltered:   "changed: %s",
	EventExplained: "cause found: %s",
}
