package message

import (
	"stickwatch/alerting"
	"stickwatch/checks"
)

// labels has the fixed texts of messages in one language.
type labels struct {
	headline   string // format: severity, resolved or deployment; clusters; title or name
	severities map[checks.Severity]string
	resolved   string

	// Labels of facts; flappingDetail is the value of flapping.
	severity, cluster, clusters, node, nodes, dependency, target string
	affected, since, until, flapping, flappingDetail             string

	sentBy, mayRepeat string // mayRepeat follows the name of an instance

	// Titles of sections, and texts of links.
	evidence, consequences, remedy, news        string
	incidentLink, acknowledge, silence, grafana string

	deployment, nodesChanged, stillActive string // of the summary of a deployment

	ongoingFor    string // with a duration
	resolvedAfter string // with a duration, a number of findings and a severity
	merged        string // with the other incident
	acknowledged  string // with a name and a time
	somebody      string
	more          string // with a number
	ended         string // after a title or a node name that has ended

	zone         string // after a label, with the zone of times
	colon, comma string
	units        [4]string // of days, hours, minutes and seconds, after their number
	betweenUnits string
}

func (w Writer) labels() *labels {
	if w.Language == alerting.Chinese {
		return &chinese
	}
	return &english
}

var english = labels{
	headline:   "[%s] %s: %s",
	severities: map[checks.Severity]string{checks.Critical: "Critical", checks.Warning: "Warning", checks.Info: "Info"},
	resolved:   "Resolved",

	severity: "Severity", cluster: "Cluster", clusters: "Clusters", node: "Node", nodes: "Nodes", dependency: "Dependency", target: "Target",
	affected: "Affected", since: "Since", until: "Until", flapping: "Flapping", flappingDetail: "findings appear and disappear",

	sentBy: "Sent by", mayRepeat: ", which cannot reach the fleet's database: another instance may send this, too",

	evidence: "Evidence", consequences: "Consequences", remedy: "What to do", news: "What happened",
	incidentLink: "Incident", acknowledge: "Acknowledge", silence: "Silence", grafana: "Grafana",

	deployment: "Deployment", nodesChanged: "Nodes changed", stillActive: "Still active",

	ongoingFor:    "Ongoing for %s.",
	resolvedAfter: "Resolved after %s. Findings: %d, highest severity: %s.",
	acknowledged:  "Acknowledged by %s at %s", somebody: "somebody",
	merged: "It has the same cause as incident %s and continues there.",
	more:   "and %d more",
	ended:  " (ended)",

	zone: " (%s)", colon: ": ", comma: ", ",
	units: [4]string{" d", " h", " min", " s"}, betweenUnits: " ",
}

var chinese = labels{
	headline:   "【%s】%s：%s",
	severities: map[checks.Severity]string{checks.Critical: "严重", checks.Warning: "警告", checks.Info: "信息"},
	resolved:   "已恢复",

	severity: "级别", cluster: "集群", clusters: "集群", node: "节点", nodes: "节点", dependency: "依赖服务", target: "目标",
	affected: "影响范围", since: "始于", until: "结束于", flapping: "抖动", flappingDetail: "反复出现和消失",

	sentBy: "发送者", mayRepeat: "，它无法连接 fleet 的数据库，因此其他实例也可能发送此消息",

	evidence: "证据", consequences: "由此引起", remedy: "处理建议", news: "经过",
	incidentLink: "事件详情", acknowledge: "认领", silence: "静默", grafana: "Grafana",

	deployment: "发布小结", nodesChanged: "涉及节点", stillActive: "尚未恢复",

	ongoingFor:    "已持续 %s，尚未恢复。",
	resolvedAfter: "历时 %s后恢复。共 %d 个问题，最高级别：%s。",
	acknowledged:  "%s 已于 %s 认领", somebody: "有人",
	merged: "与事件 %s 同因，后续见该事件。",
	more:   "另有 %d 项",
	ended:  "（已恢复）",

	zone: "（%s）", colon: "：", comma: "、",
	units: [4]string{" 天", " 小时", " 分", " 秒"}, betweenUnits: " ",
}
