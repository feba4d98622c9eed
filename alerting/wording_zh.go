package alerting

import (
	"cmp"
	"fmt"
	"strings"

	"stickwatch/checks"
)

// titlesInChinese has the title of every code in the catalogue.
var titlesInChinese = map[checks.Code]string{
	checks.BalancerDown:          "负载均衡器无应答",
	checks.BalancerError:         "负载均衡器自身报错",
	checks.NodeDown:              "节点不可用",
	checks.NodePaused:            "节点已暂停",
	checks.DependencyDown:        "依赖服务不可用",
	checks.DependencyDisputed:    "依赖服务状态有争议",
	checks.PageFailing:           "页面异常",
	checks.SessionDrift:          "会话漂移",
	checks.SessionLost:           "会话丢失",
	checks.SessionRollback:       "会话内容回退",
	checks.SessionNotShared:      "会话未共享",
	checks.SessionFailing:        "持有会话的用户请求失败",
	checks.SessionLeaked:         "会话串用",
	checks.CookieRejected:        "会话 Cookie 不会被带回",
	checks.HandshakeBroken:       "握手失败",
	checks.UpgradeRefused:        "WebSocket 升级被拒",
	checks.NodeFailingInRotation: "故障节点仍在接收流量",
	checks.NodeEjected:           "节点已摘除",
	checks.BalancerSplit:         "负载均衡器判断不一",
	checks.BalancerRemapped:      "负载均衡器改变了客户端分配",
	checks.DuplicateNodeID:       "节点标识重复",
	checks.NodeMisidentified:     "节点身份不符",
	checks.UnknownNode:           "未登记的节点",
	checks.VersionSkew:           "版本不一致",
	checks.SettingsSkew:          "配置不一致",
	checks.ClockSkew:             "时钟偏差",
	checks.StartOrder:            "启动顺序不对",
	checks.NodeRestarted:         "节点已重启",
	checks.StoreFailover:         "会话存储已切换",
	checks.NodesChanged:          "节点列表已变化",
	checks.DiscoveryFailing:      "节点来源不可用",
	checks.Slow:                  "响应缓慢",
	checks.LoginFailing:          "监控账号无法登录",
	checks.CertificateExpiring:   "证书即将过期",
	checks.ProberImpaired:        "探测器自身故障",
	checks.ProberOverloaded:      "探测器过载",
	checks.BlindSpot:             "监测盲区",
	checks.SiteDisagreement:      "站点看法不一",
	checks.HistoryDamaged:        "历史文件已损坏",
}

// notificationsInChinese says what a receiver was notified of, other than the start of an incident.
var notificationsInChinese = map[NotificationKind]string{
	NotificationDeveloped: "（有变化）", NotificationReminder: "（提醒）", NotificationResolved: "（已恢复）", NotificationDeployment: "（发布小结）",
}

// eventInChinese describes an event; "": the kind is unknown.
func eventInChinese(event Event) string {
	if format := findingEventsInChinese[event.Kind]; format != "" {
		return fmt.Sprintf(format, findingInChinese(event.Finding))
	}
	switch event.Kind {
	case EventMerged:
		return fmt.Sprintf("与事件 %s 同因，已合并", event.Detail)
	case EventWorsened:
		return "级别升为" + cmp.Or(severitiesInChinese[checks.Severity(event.Detail)], event.Detail)
	case EventSilenced:
		if event.Reason == ReasonDeployment {
			return "发布期间暂不通知：" + strings.TrimPrefix(event.Detail, deploymentPrefix)
		}
		return "已静默：" + event.Detail
	case EventNotified:
		kind := strings.TrimPrefix(event.Text, event.Detail+": ")
		return "已通知 " + event.Detail + notificationsInChinese[NotificationKind(kind)]
	case EventAcknowledged:
		return "已认领：" + event.writtenInChinese()
	case EventNoted:
		return "备注：" + event.writtenInChinese()
	case EventEscalated:
		return "无人认领，升级通知 " + event.Detail
	case EventUnwatched:
		if event.Reason == ReasonHandedOver {
			return fmt.Sprintf("集群 %s 改由 fleet 的其他实例监测", event.Detail)
		}
		return fmt.Sprintf("集群 %s 已移出配置，不再监测", event.Detail)
	case EventCut:
		return fmt.Sprintf("省略 %d 条记录", event.Omitted)
	case EventResolved:
		if event.Reason == ReasonUnwatched {
			return "所属集群已移出配置，不再监测"
		}
		return "已恢复"
	default:
		return plainEventsInChinese[event.Kind]
	}
}

// writtenInChinese returns who wrote an event, and what.
func (e Event) writtenInChinese() string {
	if e.Author != "" && e.Detail != "" {
		return e.Author + "：" + e.Detail
	}
	return cmp.Or(e.Author, e.Detail, "有人")
}

// findingEventsInChinese has the kinds of event that are about a finding.
var findingEventsInChinese = map[EventKind]string{
	EventOpened:    "出现：%s",
	EventJoined:    "新增：%s",
	EventLeft:      "消失：%s",
	EventReturned:  "再次出现：%s",
	EventMoved:     "另有原因：%s",
	EventAltered:   "有变化：%s",
	EventExplained: "查明原因：%s",
	EventFlapping:  "抖动：%s",
}

// plainEventsInChinese has the kinds of event without arguments.
var plainEventsInChinese = map[EventKind]string{
	EventFired:      "持续时间已到，开始告警",
	EventWithdrawn:  "告警之前已消失",
	EventUnsilenced: "静默结束",
}

// deploymentInChinese formats the summary of a deployment.
func deploymentInChinese(s Summary) string {
	parts := []string{
		fmt.Sprintf("%d 个会话切换了节点", s.Moved), fmt.Sprintf("%d 个丢失", s.Lost), "服务没有中断", "目前没有未恢复的问题",
	}
	if s.Longest > 0 {
		parts[2] = "最长中断 " + seconds(s.Longest) + " 秒"
	}
	if active := Chinese.titles(s.Active); active != "" {
		parts[3] = "尚未恢复：" + active
	}
	return fmt.Sprintf("%s 发布 %s：%s", s.Cluster, s.Name, strings.Join(parts, "，"))
}

var severitiesInChinese = map[checks.Severity]string{checks.Critical: "严重", checks.Warning: "警告", checks.Info: "信息"}

// findingInChinese formats the key of a finding.
func findingInChinese(key string) string {
	code, subject, _ := strings.Cut(key, "/")
	title := Chinese.Title(checks.Code(code))
	if subject == "" {
		return title
	}
	return title + "（" + checks.TargetIn(checks.Chinese, subject) + "）"
}
