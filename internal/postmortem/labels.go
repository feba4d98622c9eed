package postmortem

import (
	"stickwatch/alerting"
	"stickwatch/checks"
)

// labels has the fixed texts in one language.
type labels struct {
	state, severity, cluster, cause, affected, began, notified, ended, lasted string
	acknowledged, deployment, page, causes, happened, followUps, remedy       string
	time, event, goesOn, somebody, colon, comma                               string

	phases     map[alerting.Phase]string
	severities map[checks.Severity]string
}

// labelsIn has the labels by whether they are Chinese.
var labelsIn = map[bool]labels{
	false: {
		state: "State", severity: "Severity", cluster: "Cluster", cause: "Cause", affected: "Affected", began: "Began", notified: "Notified",
		ended: "Ended", lasted: "Lasted", acknowledged: "Acknowledged", deployment: "Deployment", page: "Page",
		causes: "Cause and consequences", happened: "Timeline", followUps: "Follow-ups", remedy: "Remedy",
		time: "Time", event: "Event", goesOn: "ongoing", somebody: "somebody", colon: ": ", comma: ", ",
		phases:     map[alerting.Phase]string{alerting.Ongoing: "ongoing", alerting.Recovering: "recovering", alerting.Over: "resolved"},
		severities: map[checks.Severity]string{checks.Critical: "critical", checks.Warning: "warning", checks.Info: "info"},
	},
	true: {
		state: "状态", severity: "级别", cluster: "集群", cause: "原因", affected: "影响范围", began: "开始", notified: "首次通知",
		ended: "结束", lasted: "历时", acknowledged: "认领", deployment: "发布", page: "页面",
		causes: "原因与影响", happened: "经过", followUps: "后续措施", remedy: "处理建议",
		time: "时间", event: "事件", goesOn: "未恢复", somebody: "有人", colon: "：", comma: "，",
		phases:     map[alerting.Phase]string{alerting.Ongoing: "未恢复", alerting.Recovering: "已恢复，观察中", alerting.Over: "已恢复"},
		severities: map[checks.Severity]string{checks.Critical: "严重", checks.Warning: "警告", checks.Info: "信息"},
	},
}
