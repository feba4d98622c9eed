package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// TestChineseIsComplete: every code has a title of its own.
func TestChineseIsComplete(t *testing.T) {
	titles := make(map[string]checks.Code)
	for _, entry := range slices.Concat(checks.Catalogue, checks.OfMonitor) {
		title := Chinese.Title(entry.Code)
		if other, taken := titles[title]; taken {
			t.Errorf("%s and %s are both %q", entry.Code, other, title)
		}
		titles[title] = entry.Code
		if !chinese(title) {
			t.Errorf("the title of %s is %q, want Chinese", entry.Code, title)
		}
	}
}

func chinese(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

func TestTitle(t *testing.T) {
	for code, want := range map[checks.Code][2]string{
		checks.SessionDrift: {"Session drift", "会话漂移"},
		"to_come":           {"To come", "To come"},
		"":                  {"", ""},
	} {
		expect.Equal(t, fmt.Sprintf("titles of %q", code), want, [2]string{English.Title(code), Chinese.Title(code)})
	}
}

func TestEventWording(t *testing.T) {
	const paused = "node_paused/node3"
	for _, tt := range []struct {
		event   Event
		english string
		chinese string
	}{
		{Event{Kind: EventOpened, Finding: paused, Text: "node3 is paused"}, "started: node3 is paused", "出现：节点已暂停（node3）"},
		{Event{Kind: EventJoined, Finding: paused, Text: "node3 is paused"}, "joined: node3 is paused", "新增：节点已暂停（node3）"},
		{Event{Kind: EventLeft, Finding: paused, Text: "node3 is paused"}, "ended: node3 is paused", "消失：节点已暂停（node3）"},
		{Event{Kind: EventReturned, Finding: paused, Text: "node3 is paused"}, "active again: node3 is paused", "再次出现：节点已暂停（node3）"},
		{Event{Kind: EventMoved, Finding: paused, Text: "node3 is paused"}, "has another cause: node3 is paused", "另有原因：节点已暂停（node3）"},
		{Event{Kind: EventAltered, Finding: paused, Text: "node3 is paused"}, "changed: node3 is paused", "有变化：节点已暂停（node3）"},
		{Event{Kind: EventExplained, Finding: "session_drift", Text: "it drifts"}, "cause found: it drifts", "查明原因：会话漂移"},
		{Event{Kind: EventFlapping, Finding: paused, Text: "came 5 times"}, "came 5 times", "抖动：节点已暂停（node3）"},
		{Event{Kind: EventMerged, Detail: "2026-1", Text: "incident 2026-1 has the same cause"}, "incident 2026-1 has the same cause", "与事件 2026-1 同因，已合并"},
		{Event{Kind: EventWorsened, Detail: "critical", Text: "it is critical now"}, "it is critical now", "级别升为严重"},
		{Event{Kind: EventFired, Text: "it has held for 30s"}, "it has held for 30s", "持续时间已到，开始告警"},
		{Event{Kind: EventWithdrawn, Text: "it went away"}, "it went away", "告警之前已消失"},
		{Event{Kind: EventResolved, Reason: ReasonQuiet, Text: "it is over"}, "it is over", "已恢复"},
		{Event{Kind: EventResolved, Reason: ReasonUnwatched, Text: "it is not watched"}, "it is not watched", "所属集群已移出配置，不再监测"},
		{Event{Kind: EventSilenced, Detail: "deploy 4.2", Text: "deploy 4.2"}, "deploy 4.2", "已静默：deploy 4.2"},
		{Event{Kind: EventUnsilenced, Text: "receivers are told again"}, "receivers are told again", "静默结束"},
		{Event{Kind: EventNotified, Detail: "ops", Text: "ops: fired"}, "ops: fired", "已通知 ops"},
		{Event{Kind: EventNotified, Detail: "ops", Text: "ops: reminder"}, "ops: reminder", "已通知 ops（提醒）"},
		{Event{Kind: EventAcknowledged, Detail: "zhang: on it", Text: "acknowledged by zhang: on it"}, "acknowledged by zhang: on it", "已认领：zhang: on it"},
		{Event{Kind: EventEscalated, Detail: "boss", Text: "nobody has acknowledged it for 15m0s: boss is notified"}, "nobody has acknowledged it for 15m0s: boss is notified", "无人认领，升级通知 boss"},
		{Event{Kind: EventCut, Omitted: 7, Text: "7 events are not kept"}, "7 events are not kept", "省略 7 条记录"},
		{Event{Kind: "to_come", Text: "something new"}, "something new", "something new"},
	} {
		got := [2]string{English.Event(tt.event), Chinese.Event(tt.event)}
		expect.Equal(t, tt.event.Kind, [2]string{tt.english, tt.chinese}, got)
	}
}
