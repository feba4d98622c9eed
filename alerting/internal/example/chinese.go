package example

import (
	"stickwatch/alerting"
	"stickwatch/checks"
)

// Chinese is a little of what findings and events are called in Chinese.
type Chinese struct{}

// Title names a code; "": it has no name here.
func (Chinese) Title(c checks.Code) string {
	return map[checks.Code]string{checks.DependencyDown: "依赖服务不可用", checks.NodePaused: "节点已暂停"}[c]
}

// Remedy tells what to do; "": the finding says it itself.
func (Chinese) Remedy(f checks.Finding) string {
	if f.Code != checks.DependencyDown {
		return ""
	}
	return "请恢复 " + f.Dependency + "，节点会自动恢复。"
}

// Event tells what happened; "": the event says it itself.
func (Chinese) Event(e alerting.Event) string {
	return map[alerting.EventKind]string{alerting.EventJoined: "加入：", alerting.EventLeft: "消失："}[e.Kind] + e.Finding
}
