package web

import (
	"strings"

	"stickwatch/checks"
)

// title is a code in words.
func (v viewer) title(c checks.Code) string {
	if v.language == chinese {
		if title, ok := codesInChinese[c]; ok {
			return title
		}
	}
	return plain(c)
}

// plain reads a code aloud: "session_drift" is "Session drift".
func plain(c checks.Code) string {
	words := strings.ReplaceAll(string(c), "_", " ")
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

var codesInChinese = map[checks.Code]string{
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
	checks.CookieRejected:        "会话 Cookie 不会被带回",
	checks.HandshakeBroken:       "握手失败",
	checks.UpgradeRefused:        "WebSocket 升级被拒",
	checks.NodeFailingInRotation: "故障节点仍在轮转中",
	checks.NodeEjected:           "节点被剔除",
	checks.BalancerSplit:         "负载均衡器判断不一",
	checks.DuplicateNodeID:       "节点标识重复",
	checks.NodeMisidentified:     "节点身份不符",
	checks.UnknownNode:           "未登记的节点",
	checks.VersionSkew:           "版本不一致",
	checks.SettingsSkew:          "配置不一致",
	checks.ClockSkew:             "时钟偏差",
	checks.StartOrder:            "启动顺序不对",
	checks.NodeRestarted:         "节点已重启",
	checks.StoreFailover:         "会话存储已切换",
	checks.Slow:                  "响应缓慢",
	checks.CertificateExpiring:   "证书即将过期",
	checks.BlindSpot:             "监测盲区",
}
