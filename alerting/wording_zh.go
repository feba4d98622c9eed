package alerting

import (
	"cmp"
	"fmt"
	"strings"

	"stickwatch/checks"
)

// titlesInChinese has every code of the catalogue.
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
	checks.NodeFailingInRotation: "故障节点仍在轮转中",
	checks.NodeEjected:           "节点被剔除",
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
	checks.Slow:                  "响应缓慢",
	checks.CertificateExpiring:   "证书即将过期",
	checks.BlindSpot:             "监测盲区",
}

// remediesInChinese has every code of the catalogue, and for some of them what to
// do about a finding with a certain Target. {node} and {dependency} are what the
// finding is about.
var remediesInChinese = map[string]string{
	"balancer_down":                `请确认负载均衡器已启动，并检查 DNS、防火墙、端口、证书，以及配置中的 balancer.url。`,
	"balancer_error":               `请在负载均衡器的错误日志中查找 "no live upstreams"、"connect() failed" 或超时；若节点正常，请检查负载均衡器能否连到节点。`,
	"node_down":                    `请在 {node} 上启动应用；若进程仍在，请检查应用是否挂起、应用日志，以及防火墙。`,
	"node_down/sessions lost":      `节点已恢复，但在 sticky 策略下，其用户在节点故障时丢失了会话：请查明 {node} 的故障原因，或让各节点共享会话。`,
	"node_paused":                  `请恢复其原因中所指的服务，节点会自动恢复；若没有给出原因，请在 {node} 上查明后手动恢复。`,
	"dependency_down":              `请恢复 {dependency}，因它而暂停的节点会自动恢复；若它对 stickwatch 应答正常，请检查节点访问它的地址、凭据和防火墙。`,
	"dependency_disputed":          `请比对节点与 stickwatch 访问 {dependency} 所用的地址和凭据，并检查两者之间的网络。`,
	"page_failing":                 `请在应用日志中查看该请求；若仅经负载均衡器时异常，请检查其虚拟主机（server_name、Host）、location 与重定向；若页面已迁移，请修正配置中的路径或状态码。`,
	"session_drift":                `请确认负载均衡器的会话保持（ip_hash 或粘性 Cookie）已配置并已重新加载；或让节点共享会话，并设 policy: shared。`,
	"session_lost":                 `请检查节点是否重启、会话是否被提前淘汰或过期，以及所有节点是否使用同一个会话存储；修复之前，负载均衡器须把客户端固定在原节点。`,
	"session_rollback":             `有节点返回了旧的会话内容：请检查会话复制（异步或失败）、各节点时钟，以及会话存储之前的缓存。`,
	"session_not_shared":           `请检查 {node} 的会话复制或共享存储：集群成员、地址，以及应用是否声明为 distributable；须在下一次故障转移之前修复。`,
	"session_failing":              `请在 {node} 的应用日志中查看带会话 Cookie 的请求：常见原因有发布后类不兼容、各节点密钥不一致、会话锁定过久；若仅写入失败，请检查无法序列化的值、只读的存储或被拒的 CSRF 令牌。`,
	"session_leaked":               `请检查客户端与节点之间是否有缓存保存了带 Set-Cookie 的响应：会话页面应返回 Cache-Control: no-store，且缓存不得忽略它（nginx 的 proxy_ignore_headers；HAProxy 的 cookie insert 请加 nocache）。`,
	"cookie_rejected":              `请在设置该 Cookie 的应用或负载均衡器处修正其属性（Path、Domain、Secure；nginx 用 proxy_cookie_path、proxy_cookie_domain）。`,
	"handshake_broken":             `同一次握手的所有请求必须到达同一节点：请为该路径启用 ip_hash 或粘性 Cookie，并核对 handshake.path；若直接访问节点也失败，请检查 {node} 上的 socket.io 服务。`,
	"upgrade_refused":              `请在 nginx 的 location 中设置：proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`,
	"node_failing_in_rotation":     `请把 {node} 移出负载均衡器（将该 server 标为 down 并重新加载），修复后再放回。`,
	"node_ejected":                 `若剔除仍在持续且 {node} 刚刚失败过，nginx 会在 fail_timeout 之后自动放回，无须重新加载；若迟迟不放回，请在负载均衡器的错误日志（warn 级别）中查找 "temporarily disabled"，并检查负载均衡器能否连到该节点。`,
	"balancer_split":               `请在 nginx 的 upstream 中加入 zone，使各 worker 共同计数失败；若有多个负载均衡器地址，请检查各自能连到哪些节点。`,
	"balancer_remapped":            `请保持 upstream 中 server 行的数量和顺序：下线节点时标记 down 而不是删除该行，或使用 hash ... consistent；HAProxy 的粘性表请用 peers 在重新加载时保留，或改用 Cookie。请把本集群的节点列表改为与负载均衡器一致。`,
	"duplicate_node_id":            `请让每个节点使用各自的标识（cluster_node.properties 的 nodeId、server.xml 的 jvmRoute）；若两个地址指向同一台机器，请修正节点地址。`,
	"node_misidentified":           `请修正配置中 {node} 的地址，或修正应用在该处的标识。`,
	"unknown_node":                 `请把它加入本集群的节点列表，或将它移出负载均衡器。`,
	"version_skew":                 `请在所有节点部署同一版本；滚动发布期间的不一致会自行消失。`,
	"settings_skew":                `请让所有节点使用相同的配置。`,
	"clock_skew":                   `请在 {node} 上启用时间同步（chrony、systemd-timesyncd）并核对时区：会话与签名按时钟过期。`,
	"start_order":                  `请重启其他节点：主节点须最先启动、最后停止。若各节点以不同时区显示时间，则无法比较，请统一时区。`,
	"node_restarted":               `若是有意重启，无须处理；否则请查明 {node} 的进程为何退出。`,
	"node_restarted/sessions lost": `在 sticky 策略下，重启会使该节点的用户丢失会话：请在重启前先将节点排空，并预先通知发布，或让各节点共享会话。`,
	"cookie_rejected/none":         `应用在这种协议下没有设置任何会话 Cookie：请让负载均衡器传递 X-Forwarded-Proto，并让应用信任它；否则请让 stickwatch 以 https 访问。`,
	"store_failover":               `会话没有丢失。请检查会话原来所在的存储，并在另一个存储出现问题之前恢复它。`,
	"slow":                         `请检查 {node} 的负载、垃圾回收及其后端服务；若仅经负载均衡器时缓慢，请检查负载均衡器，以及它对故障节点的重试。`,
	"certificate_expiring":         `请更新证书，并重新加载提供该证书的服务。`,
	"blind_spot":                   `请按证据补全 stickwatch 的配置，或给予它所需的访问权限。`,
	"blind_spot/rotation":          `请设置 balancer.method（以及 hash_key），并让负载均衡器从请求头取得客户端地址（client_ip_header；nginx 用 set_real_ip_from 与 real_ip_header）；节点的顺序、weight、down 与 backup 须与 upstream 一致。`,
	"blind_spot/labels":            `请让节点表明身份（Tomcat 的 jvmRoute，或测试页上的标签），或由负载均衡器表明：add_header X-Upstream $upstream_addr always; 并设 session.node: {header: X-Upstream}。`,
	"blind_spot/interval":          `请把 intervals.canary 设得比 fail_timeout 短，或配置 balancer.evidence.nginx_error_log（HAProxy 为 haproxy_stats）。`,
	"blind_spot/status":            `请修正 status.path，或以 path: "" 关闭状态检查。`,
}

// eventInChinese tells an event; "": its kind is not known here.
func eventInChinese(e Event) string {
	if format := findingEventsInChinese[e.Kind]; format != "" {
		return fmt.Sprintf(format, findingInChinese(e.Finding))
	}
	switch e.Kind {
	case EventMerged:
		return fmt.Sprintf("与事件 %s 同因，已合并", e.Detail)
	case EventWorsened:
		return "级别升为" + cmp.Or(severitiesInChinese[checks.Severity(e.Detail)], e.Detail)
	case EventSilenced:
		if e.Reason == ReasonDeployment {
			return "发布期间暂不通知：" + strings.TrimPrefix(e.Detail, deploymentPrefix)
		}
		return "已静默：" + e.Detail
	case EventTold:
		return "已通知 " + e.Detail
	case EventUnwatched:
		return fmt.Sprintf("集群 %s 已移出配置，不再监测", e.Detail)
	case EventCut:
		return fmt.Sprintf("省略 %d 条记录", e.Omitted)
	case EventResolved:
		if e.Reason == ReasonUnwatched {
			return "所属集群已移出配置，不再监测"
		}
		return "已恢复"
	default:
		return plainEventsInChinese[e.Kind]
	}
}

// findingEventsInChinese are about a finding.
var findingEventsInChinese = map[EventKind]string{
	EventOpened:    "出现：%s",
	EventJoined:    "新增：%s",
	EventLeft:      "消失：%s",
	EventReturned:  "再次出现：%s",
	EventMoved:     "另有原因：%s",
	EventAltered:   "有变化：%s",
	EventExplained: "查明原因：%s",
	EventFlapping:  "反复出现：%s",
}

// plainEventsInChinese say all by their kind.
var plainEventsInChinese = map[EventKind]string{
	EventFired:      "持续时间已到，开始告警",
	EventWithdrawn:  "告警之前已消失",
	EventUnsilenced: "静默结束",
}

// deploymentInChinese sums a deployment up.
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

// findingInChinese names a finding by its key.
func findingInChinese(key string) string {
	code, subject, _ := strings.Cut(key, "/")
	title := Chinese.Title(checks.Code(code))
	if subject == "" {
		return title
	}
	return title + "（" + subject + "）"
}
