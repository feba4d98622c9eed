package checks

import (
	"fmt"
	"strings"
	"text/template"
	"time"

	"stickwatch/probes"
)

// chinese has every sentence in Chinese, in the terms of Chinese operators.
var chinese = translation{
	words: template.FuncMap{
		"list": func(items []string) string { return strings.Join(items, "、") },
		"client": func(key string) string {
			if key == "" {
				return "本机地址"
			}
			return "客户端 " + key + " "
		},
		"state": func(state string) string {
			if word := statesInChinese[probes.ServerState(state)]; word != "" {
				return word
			}
			return "状态为 " + state
		},
		"span": spanInChinese,
		"often": func(perSecond float64) string {
			if perSecond < 1 {
				return "每 " + spanInChinese(seconds(time.Duration(float64(time.Second)/perSecond))) + "一次"
			}
			return fmt.Sprintf("每秒 %.1f 次", perSecond)
		},
	},
	parts: map[string]string{
		"and lost":      "{{if .Lost}}；其上的 {{.Lost}} 个监测会话随之丢失{{end}}",
		"of nodes":      "{{with .Nodes}}（{{list .}}）{{end}}",
		"named session": "{{if .Session}}{{.Session}}{{else}}（{{client .Client}}）{{end}}",
		"what came":     "{{if .Reason}}{{.Reason}}{{else}}HTTP {{.Status}}{{end}}",
	},
	sentences: map[MessageID]string{
		// Evidence.
		MsgExchange:        "{{with .Path}}{{.}}：{{end}}{{if .Reason}}{{.Reason}}{{else if .Status}}HTTP {{.Status}}{{else}}无应答{{end}}（{{clock .At}}）",
		MsgAskedDirectly:   "直接访问：{{say .Why}}",
		MsgMoreLikeIt:      "另有 {{.Count}} 条类似记录",
		MsgClientGot:       "{{client .Client}}得到 {{say .Why}}",
		MsgPlainRequestGot: "普通请求得到 {{say .Why}}",
		MsgSessionGot:      `会话 {{template "named session" .}}：{{say .Why}}`,
		MsgLedElsewhere:    "被引到 {{.Path}}，不是该页面（{{clock .At}}）",
		MsgRedirected:      "被重定向到 {{.Path}}（{{clock .At}}）",
		MsgUnknownPage:     "得到的页面既不含节点也不含会话（{{clock .At}}）",
		MsgByHash:          "依据哈希计算：{{say .Why}}",
		MsgByClients:       "依据新客户端：{{say .Why}}",
		MsgByBalancer:      "依据负载均衡器自身的说法：{{say .Why}}",
		MsgServerState:     "{{.Name}} 显示 {{.Server}} {{state .State}}{{if not .Since.IsZero}}，始于 {{date .Since}}{{end}}{{with .Reason}}：{{.}}{{end}}",
		MsgNoEjectionNow:   "{{.Name}} 目前没有摘除 {{.Server}} 的记录",
		MsgSourceSilent:    "{{.Name}}：{{.Reason}}",

		// Nodes: balancers.go, nodes.go, in_rotation.go, ejection_budget.go.
		MsgNodeSilent:           `直接访问 {{.Node}} 没有应答：{{.Reason}}{{template "and lost" .}}`,
		MsgNodeErrs:             `直接访问 {{.Node}} 返回 HTTP {{.Status}}{{template "and lost" .}}`,
		MsgReadNodeLog:          "请查看 {{.Node}} 上的应用日志。",
		MsgAdmitNewClients:      "请查看 {{.Node}} 上的应用日志。已有会话的客户端正常，新客户端得不到服务：请检查是否达到会话数上限（如 Tomcat 的 `maxActiveSessions`），以及只有客户端的首个请求才需要的资源。",
		MsgStartApplication:     "{{.Address}} 上没有进程监听：请在该处启动应用。",
		MsgFindHang:             "它接受连接后不应答，或静默丢弃连接：请检查 {{.Node}} 上的应用是否挂起，以及防火墙。",
		MsgCheckNode:            "请检查 {{.Node}} 上的应用，以及本机能否访问它。",
		MsgNodePaused:           `{{.Node}} 报告自身状态为 {{or .State "停止服务"}}{{with .Reason}}：{{.}}{{end}}`,
		MsgStatusSaid:           "{{say .Why}}，状态 {{quote .State}}，原因 {{quote .Reason}}",
		MsgBringBackReason:      "请恢复其原因中所指的服务，节点会自动恢复。",
		MsgFindWhyPaused:        "请在该节点上查明暂停的原因，然后手动恢复。",
		MsgFailsInRotation:      "{{.Node}} 发生故障，负载均衡器仍在向它分配请求{{with .Why}}：{{say .}}{{end}}",
		MsgHasNoCheck:           "该 server 未启用健康检查",
		MsgSeemsUnchecked:       "包括新客户端，似乎未启用健康检查",
		MsgTakeOut:              "请把 {{.Node}} 移出负载均衡器（将该 server 标为 down 并重新加载），修复后再放回。",
		MsgTriedFirst:           "有 {{.Count}} 个请求先发往它，再由其他节点应答",
		MsgFailedTries:          "{{.Name}}：对 {{.Server}} 连续 {{.Count}} 次尝试失败，其间没有超过 fail_timeout 的间隔，最近一次在 {{second .At}}：{{.Reason}}",
		MsgAddCheck:             "负载均衡器没有对 {{.Server}} 做健康检查：请在其 server 行加上 `check`，节点宕机时新客户端才会转往其他节点；在此之前，请把 {{.Node}} 移出负载均衡器。",
		MsgEjectFailing:         "{{.Node}} 故障 {{span .Duration}}后，负载均衡器仍把新客户端分配给它：请启用健康检查（HAProxy 的 `check`）或失败摘除（nginx 的 `max_fails`）；在此之前，请把 {{.Node}} 移出负载均衡器。",
		MsgBudgetUnchecked:      "负载均衡器不会摘除它（没有健康检查）：在人工处理之前会一直持续",
		MsgBudgetOfHealthChecks: "何时摘除它，由负载均衡器自身的健康检查决定",
		MsgBudgetEndless:        "负载均衡器的摘除机制已关闭（max_fails=0）：在人工处理之前会一直持续",
		MsgBudgetOfOne:          "max_fails=1：下一次连接失败或超时后，nginx 的各 worker 各自将它摘除 {{span .Duration}}；HTTP 错误只有列入 proxy_next_upstream 才计数",
		MsgBudgetAssumed:        `按每秒一个请求、{{printf "%.0f" .Rate}}% 失败估计，约 {{span .Duration}}后摘除（max_fails={{.Of}}，各 worker 分别计数）；若每 fail_timeout={{.Limit}} 才失败一次，最多 {{span .Longest}}。HTTP 错误只有列入 proxy_next_upstream 才计数。配置 balancer.evidence.nginx_error_log 可得到真实速率`,
		MsgBudgetSpent:          "已经用尽：错误日志表明 nginx 已将它摘除（max_fails={{.Of}}）；每 {{span .Duration}}会放行一个请求试探，首次成功即自动恢复，无须重新加载",
		MsgBudgetNever:          "只要它不时有应答就不会摘除：每 {{span .Duration}}失败一次（nginx 错误日志），失败之后超过 fail_timeout={{.Limit}} 的成功会清零计数；若它完全不应答，约 {{span .Longest}}后摘除",
		MsgBudgetTooNew:         "max_fails={{.Of}} 已计约 {{.Count}} 次（nginx 错误日志），时间太短，无法得出速率：按每秒失败一次估计，{{say .Why}}",
		MsgBudgetLeft:           "{{say .Why}}：本轮之前，发往它的请求{{often .Rate}}失败（nginx 错误日志，{{span .Duration}}），max_fails={{.Of}} 已计约 {{.Count}} 次",
		MsgBudgetUncounted:      "没有迹象表明 nginx 会摘除它：{{if not .Since.IsZero}}自 {{second .Since}} 起，{{end}}错误日志中没有对它的连接失败或超时；HTTP 错误只有列入 proxy_next_upstream 才计数，客户端放弃的请求从不计数",
		MsgTimeLeft:             "约 {{span .Duration}}后摘除",
		MsgTimeLeftOfWorkers:    "{{.Count}} 个 worker 分别计数，约 {{span .Duration}}后由其中首个摘除",
		MsgTimeLeftWithZone:     "若 upstream 有 zone，约 {{span .Duration}}后摘除；否则约 {{span .Longest}}后由 {{.Count}} 个 worker 中的首个摘除",
		MsgBalancerSilent:       "负载均衡器 {{.Address}} 没有 HTTP 应答",
		MsgFixName:              "域名无法解析：请检查 DNS，以及本机的解析器。",
		MsgStartBalancer:        "该处没有进程监听：请启动负载均衡器，或修正 balancer.url。",
		MsgCheckScheme:          "有应答，但与配置不符：请核对 balancer.url 的协议、端口和证书。",
		MsgCheckBalancer:        "请检查负载均衡器是否在运行、防火墙是否丢弃连接，以及各节点是否应答。",
		MsgFindNoAnswerRule:     "它接受连接后随即关闭。请在其日志中查找这样的规则（nginx 的 `return 444`、HAProxy 的 `reject`），例如针对未知的 Host 或 stickwatch 的 User-Agent（可用 `request.headers` 修改）；并检查它是否要求 TLS 或 PROXY 协议，以及各节点是否应答。",
		MsgBalancerErrs:         "负载均衡器 {{.Address}} 对 {{.Of}} 个请求中的 {{.Count}} 个返回了自身的错误",
		MsgReadBalancerLog:      `请在负载均衡器的错误日志中查找 "no live upstreams"、"connect() failed"、超时、"prematurely closed connection"（节点比负载均衡器更早关闭空闲连接）或 "too big header"（请调大 proxy_buffer_size）；若节点正常，请检查负载均衡器能否连到节点，以及是否限制了单个地址的请求数。`,

		// Rotation: rotation.go, rotation_oracle.go, in_rotation.go, node_timeline.go.
		MsgGave:              "经负载均衡器的 {{.Of}} 个应答中有 {{.Count}} 个来自它{{range .Addresses}}，但在 {{.}} 没有{{end}}",
		MsgMarkedDown:        "配置中已标为 down",
		MsgIsBackup:          "它是 backup，只有其他节点都不可用时才接收流量",
		MsgNoneSigned:        "经负载均衡器的应答都没有表明来自哪个节点",
		MsgSameLabel:         "另有节点使用相同的标识",
		MsgNameNotReported:   "它没有给出自己的标识，而客户端遇到了不属于任何节点的标识",
		MsgRetryWouldHide:    "它没有应答，而改试其他节点会掩盖曾试过它",
		MsgHoldsItsClients:   "它仍应答已有的客户端；httpd 把新客户端分给请求较少的节点，排空中的节点则没有新客户端",
		MsgOneClientOneNode:  "负载均衡器把同一客户端固定分配给一个节点，而本机被分配到别的节点",
		MsgAllMetOne:         "所有新客户端都落在同一节点，与 ip_hash 相同；尚未配置负载均衡方法",
		MsgLeastConn:         "在它已有较多连接时，least_conn 不分配新客户端属于正常",
		MsgTooFewMissed:      "{{.Count}} 个新客户端没有落在它上面，需要 {{.Of}} 个才能排除偶然",
		MsgNoneMet:           `{{.Count}} 个新客户端无一落在它上面；若属偶然，{{printf "%.1g" .Rate}} 轮才会出现一次`,
		MsgNoArithmetic:      "负载均衡器的算法未知",
		MsgAnswersDiffer:     "应答不符合 {{.Method}}：客户端 {{.Client}} 由 {{quote .Node}} 应答，按计算应为 {{quote .Other}}",
		MsgClientNotAnswered: "发往它的客户端没有得到应答",
		MsgAllLandedOnOne:    "所有客户端都落在同一节点：或者负载均衡器没有从 {{.Name}} 取得客户端，或者其他节点没有接收流量",
		MsgHashedToNext:      "按 {{.Method}} 应分配给它的客户端，有 {{.Count}} 次由除它之外的下一个节点应答",
		MsgOthersMayBeOut:    "若有其他节点被摘除，也能解释这些应答",
		MsgNotTheNext:        "应答本机的不是除它之外的下一个节点",
		MsgOursNotAnswered:   "负载均衡器把同一客户端固定分配给一个节点，而本机没有得到应答",
		MsgOursToNext:        "按 {{.Method}} 本机地址应分配给它，在 {{clock .At}} 之前也由它应答，而现在有 {{.Count}} 次由除它之外的下一个节点应答",
		MsgContradiction:     "{{say .Why}}；但是 {{say .But}}",
		MsgEjected:           "直接访问 {{.Node}} 正常，而负载均衡器{{with .Address}} {{.}} {{end}}没有向它分配流量",
		MsgNotTakenBackYet:   "{{.Node}} 自 {{second .Since}} 起已恢复，而负载均衡器{{with .Address}} {{.}} {{end}}尚未向它分配流量",
		MsgWaitFailTimeout:   `若它刚刚失败过，nginx 会在最后一次失败约 {{span .Duration}}后自动放回，无须重新加载。若迟迟不放回，请在负载均衡器的错误日志中查找 "temporarily disabled"（warn 级别；默认的 error 级别不记录），并检查负载均衡器能否连到 {{.Server}}。`,
		MsgCheckServerState:  "请查看负载均衡器中该 server 的状态，以及负载均衡器能否连到 {{.Server}}。",
		MsgPutBack:           "它在负载均衡器中被运维人员或配置停用或正在排空。相关工作完成后请放回 {{.Server}}（httpd：在 balancer-manager 中关闭 `Disabled` 与 `Draining Mode`；HAProxy：`set server ... state ready`），或将其移出节点列表。",
		MsgWasEjected:        "负载均衡器曾摘除 {{.Node}}，{{if not .Since.IsZero}}自 {{second .Since}} {{end}}至约 {{second .At}}；现已恢复",
		MsgFindMoment:        "负载均衡器无须处理：它已自动放回 {{.Node}}。请查明它当时为何没有应答，以及负载均衡器是否不该这么快放弃一个节点。",
		MsgEjectionLogged:    "{{.Name}}：{{.Server}} 自 {{second .Since}} 至约 {{second .At}} 被摘除，即最后一次失败之后 {{span .Duration}}：{{.Reason}}",
		MsgCameUpAgain:       "{{.Name}}：{{.Server}} 于 {{second .At}} 重新接收流量；上一次查询时，它自 {{second .Since}} 起一直接收流量",

		// Blind spots and doubts: blindspots.go, report.go.
		MsgRotationUnseen:         "无法判断 {{list .Nodes}} 是否接收流量：{{say .Why}}",
		MsgNodeBecause:            "{{.Node}}：{{say .Why}}",
		MsgAllMetOneNode:          "所有客户端都落在同一节点：或者负载均衡器没有从 {{.Name}} 取得客户端，或者其他节点没有接收流量",
		MsgLikeIPHash:             "所有新客户端都落在同一节点，与 ip_hash 相同",
		MsgSetMethod:              "请设置 balancer.method（--method）。{{say .Why}}",
		MsgNoHashKey:              "没有配置负载均衡器的哈希依据",
		MsgSetHashKey:             "请按 nginx 的 hash 指令设置 balancer.hash_key，例如 $remote_addr（配合 client_ip_header）或 $http_x_user。",
		MsgOwnAddressOnly:         "{{.Method}} 把本机地址（{{.Address}}）固定分配给一个节点",
		MsgHashedByOther:          "负载均衡器按 {{.Name}} 哈希，stickwatch 无法选择其值",
		MsgLookAtServers:          "请查看负载均衡器中这些 server 的状态；若 balancer.hash_key 使用请求头（$http_...），stickwatch 就能选择其值。",
		MsgTooManyClients:         "所需的新客户端多于一轮所开的 {{.Count}} 个",
		MsgAskForLess:             "请用 --confidence 降低要求的置信度，或通过 balancer.evidence 读取负载均衡器自身的状态。",
		MsgAddressesInTurns:       "负载均衡器有 {{.Of}} 个地址，每次只探测 {{.Count}} 个，其余的轮流探测",
		MsgAddressesCounted:       "{{.Address}} 有 {{.Of}} 个地址",
		MsgAddressesUnrouted:      "负载均衡器的 {{.Of}} 个地址中有 {{.Count}} 个未探测：本机没有到该协议族（IPv4 或 IPv6）地址的路由",
		MsgProbeFromElsewhere:     "能够访问这些地址的用户可能会使用它们：请为本机启用该协议族，或在已启用的机器上运行 stickwatch。",
		MsgSplitAddresses:         "若要始终探测所有地址，请配置多个集群，每个集群的 balancer.url 填写其中一部分地址。",
		MsgComputedOther:          "客户端 {{.Client}} 由 {{.Node}} 应答，按计算应为 {{.Other}}",
		MsgOtherArithmetic:        "应答不符合按所配置节点计算的 {{.Method}}，因此无法推算摘除",
		MsgListNodesInOrder:       "节点列表须与 upstream 的 server 行一致：顺序、weight、down、backup 都相同，既不多也不少。域名对应多个地址的 server 行（例如 `localhost` 同时对应 127.0.0.1 和 ::1）相当于多个服务器，请改写为地址。监听带 `ipv6only=off` 时，nginx 按 `::ffff:ADDRESS` 对 IPv4 客户端做哈希。",
		MsgNoLabels:               "经负载均衡器的应答没有表明来自哪个节点",
		MsgNoLabelSeen:            "{{.Count}} 个应答中都没有 session.node 要找的内容",
		MsgHaveNodesTell:          "请让节点表明身份（Tomcat 的 jvmRoute，或测试页上的标签），或由负载均衡器表明，如 nginx：add_header X-Upstream $upstream_addr always; 并设 session.node: {header: X-Upstream}。",
		MsgChooseClientHAProxy:    "在 HAProxy 的 配置里设置：`http-request set-src hdr({{.Name}}) if { src {{.Address}} } { req.hdr({{.Name}}) -m found }`，然后重新加载。{{if .Setting}}再设 client_ip_header: {{.Name}}（--client-ip-header）。{{end}}",
		MsgChooseClient:           "在 nginx 中设置：set_real_ip_from {{.Address}}; real_ip_header {{.Name}}; 然后重新加载。若已设有 real_ip_header，请为 stickwatch 单独配置一个 server 块。{{if .Setting}}再设 client_ip_header: {{.Name}}（--client-ip-header）。{{end}}",
		MsgLimited:                "负载均衡器限制单个地址的请求数，起初拒绝了 stickwatch 的部分请求，因此探测变慢",
		MsgServedOneByOne:         "逐个重发后，这些请求都得到了应答",
		MsgExemptProber:           "请让 {{.Address}} 不受该限制（nginx：用 `geo` 或 `map` 使 limit_req_zone 的键为空；HAProxy：`unless { src {{.Address}} }`），或调低 budget.requests_per_second。",
		MsgSeldomLooked:           "{{span .Limit}}的摘除可能在相隔 {{span .Duration}}的两次观察之间开始并结束",
		MsgIntervalsCompared:      "fail_timeout 为 {{.Limit}}，intervals.canary 为 {{.Duration}}",
		MsgLookMoreOften:          "请把 intervals.canary 设为小于 {{.Limit}}，或通过 balancer.evidence（nginx_error_log、haproxy_stats）读取负载均衡器自身的状态。",
		MsgStatusUnread:           "无法判断 {{list .Nodes}} 是否已暂停：{{.Reason}}",
		MsgCorrectStatusPath:      `请修正 status.path，或以 path: "" 关闭状态检查。`,
		MsgEvidenceUnread:         "无法读取负载均衡器自身的状态：{{.Name}}",
		MsgGiveAccess:             "请给予 stickwatch 读取权限，或从配置中删去 balancer.evidence.{{.Setting}}。",
		MsgCutShort:               "本轮提前结束：没有查询 {{list .Nodes}}{{if and .Nodes .Addresses}}、{{end}}{{list .Addresses}}",
		MsgCutShortBeforeBalancer: "本轮提前结束：没有查询{{with .Nodes}} {{list .}}、{{end}}负载均衡器",
		MsgNoVersion:              "没有节点给出版本：请在配置中设置 version",
		MsgIsolated:               "完全无法访问任何目标：请先检查本机的网络",
		MsgNoTestPage:             "没有节点提供会话测试页 {{.Path}}：请设置 session.path，或选用其他 profile",
		MsgStickinessUnknown:      "无法判断会话是否保持：{{say .Why}}",
		MsgNoSession:              "无法经负载均衡器建立并跟踪会话",
		MsgNobodyLoggedIn:         "没有观察到已登录用户的会话：{{say .Why}}",
		MsgLoginsHeld:             "没有观察到已登录用户的会话：已达到 session.login.per_hour 的上限，暂不再登录",

		// Logins: logins.go.
		MsgLoginRefused:    "应用拒绝 stickwatch 的账号登录（{{.Path}}）",
		MsgLoginRejected:   "应用对 stickwatch 账号的登录返回 {{.Status}}（{{.Path}}）",
		MsgLoginScattered:  "stickwatch 的账号无法登录：登录表单由 {{.Other}} 给出，却提交到了 {{.Node}}，返回 {{.Status}}（{{.Path}}）：表单与其会话绑定",
		MsgLoginNotIn:      "应用接受了 stickwatch 账号的登录，但 {{.Path}} 没有显示已登录",
		MsgLoginUnanswered: "stickwatch 账号的登录没有得到应答，或返回错误（{{.Path}}）",
		MsgLoginElsewhere:  "stickwatch 的账号无法登录：{{.Path}} 指向 {{.Address}}，不会向其他主机发送任何内容",
		MsgLoginPageUnfit:  "stickwatch 的账号无法登录：页面 {{.Path}} {{say .Why}}",
		MsgFormMissing:     "没有所需的表单",
		MsgFormTooLarge:    "的表单字段过多或过长",
		MsgFormByGet:       "的表单会把密码放在地址中发送（GET 方法）",
		MsgFormEncoded:     "的表单使用了 application/x-www-form-urlencoded 以外的编码",
		MsgFormAway:        "的表单会把密码发送到其他主机{{with .Address}} {{.}}{{end}}",
		MsgTokenMissing:    "没有 csrf 所指的令牌",
		MsgLoginPauses:     "连续被拒绝 {{.Count}} 次；{{second .At}} 之前不再尝试，以免账号被锁定",
		MsgCheckAccount:    "请核对 session.login 中的用户名和密码与应用中的账号是否一致，并检查账号是否被锁定或需要修改密码。若都正确，请检查 session.login.logged_in。修改配置并重新加载后会立即重试。",
		MsgCheckLoginPage:  "请像用户一样经负载均衡器打开登录页，并与 session.login 对照。",
		MsgSingleSession:   "同一账号再次登录时，应用会结束先前的会话：同一时间只能观察一个会话",
		MsgEndedByLogin:    "第二次登录之后，同一节点不再认识第一个会话，而认识第二个",
		MsgAllowSessions:   "请在应用中允许该账号同时拥有多个会话，以便观察每个节点上的会话。",

		// Whether sessions stick: stickiness.go.
		MsgNoSessionTest:     "没有配置会话测试",
		MsgNothingPromised:   "没有约定会话策略，因此未跟踪会话",
		MsgFollowUpsMoved:    "{{.Of}} 次后续请求中有 {{.Count}} 次由其他节点应答",
		MsgNowhereToDrift:    "提供服务的节点少于两个，会话无处漂移",
		MsgMovedWhileLeaving: "会话在其节点退出时切换了节点：是否保持须再次观察",
		MsgAnswersUnsigned:   "应答没有表明来自哪个节点",
		MsgNoOwnAnswer:       "有会话既没有得到自己节点的应答，也没有得到其他节点的应答",
		MsgStayedByLuck:      `{{.Count}} 次后续请求保持在原节点，这种情况偶然出现的概率为 {{printf "%.0f" .Rate}} 分之一`,
		MsgStaysSince:        "每次后续请求都由会话自己的节点应答，每个会话至少 {{.Count}} 次；节点较慢，本轮提前结束，而 {{clock .At}} 的一轮已排除偶然",
		MsgStays:             "每次后续请求都由会话自己的节点应答，每个会话至少 {{.Count}} 次",

		// Sessions: movement.go, losses.go, sharing.go, session_failing.go,
		// cookies.go, handshakes.go.
		MsgDrift:                "会话没有保持在原节点{{with .Addresses}}（{{list .}}）{{end}}：{{.Of}} 次后续请求中有 {{.Count}} 次在原节点正常时由其他节点应答{{if .Lost}}，其中 {{.Lost}} 次丢失了会话{{end}}",
		MsgAnsweredElsewhere:    `{{.Node}} 的会话 {{or .Session "（标识不可见）"}} 由 {{.Other}} 应答（{{clock .At}}）`,
		MsgOthersHold:           "负载均衡器的其余 {{.Count}} 个地址能保持会话",
		MsgSetJVMRoute:          `会话标识中没有路由：请把各 Tomcat 的 server.xml 中的 jvmRoute（<Engine jvmRoute="...">）设为其 BalancerMember 的 route，并检查 stickysession。`,
		MsgCompareAddresses:     "请将负载均衡器 {{list .Addresses}} 的配置与其他地址比较：该处缺少会话保持，或没有重新加载。",
		MsgCheckSource:          "负载均衡器的行为与配置不符：请确认 HAProxy 的配置中有 `balance source`，并且已重新加载。",
		MsgCheckHashing:         "负载均衡器的行为与配置不符：请确认 upstream 块中有 {{.Method}}，并且已重新加载。",
		MsgCheckStickyCookie:    "请检查负载均衡器的粘性 Cookie 或 stickysession，并确认各节点的路由与负载均衡器配置文件中的一致。",
		MsgRouteOfOther:         "{{.Node}} 的客户端从第二个请求起都由 {{.Other}} 应答：两台服务器的 Cookie 值或路由相同。请为每台设置各自的值（HAProxy 的 server `cookie`，httpd 的 `route` 与 Tomcat 的 `jvmRoute`），并检查是否把同一份配置复制到了多个节点。",
		MsgFirstPlacedOtherwise: "负载均衡器对客户端首个请求的分配规则与后续（携带会话 Cookie 的）请求不同：它按应用设置的 Cookie 做哈希或查表。请让负载均衡器使用自己设置的 Cookie，或按客户端地址哈希；HAProxy 的 `stick on` 还需配合 `stick store-response`。",
		MsgMovedOnce:            "会话切换过一次节点：是否保持须再次观察",
		MsgMakeSticky:           "请为负载均衡器启用会话保持（ip_hash 或粘性 Cookie），或让节点共享会话并设 policy: shared。",
		MsgLost:                 `客户端{{if .Duration}}在 {{span .Duration}}没有请求之后{{end}}再次访问时，会话已丢失{{template "of nodes" .}}`,
		MsgShareWithinNode:      "同一节点稍后又认得该会话，说明会话并未丢失：请让节点的所有进程（多个 worker）使用同一个会话存储和同一个 Cookie 密钥，并从存储的主库读取会话，不要读取有延迟的从库。",
		MsgFindLoss:             "请检查节点是否重启、会话是否被提前淘汰或立即过期，会话存储是否因已满或只读而拒绝写入，以及所有节点是否使用同一个会话存储。",
		MsgLostByAll:            `所有客户端的会话同时丢失{{template "of nodes" .}}`,
		MsgFindEmptied:          "请检查会话存储是否被清空或换成了空实例、签名或加密密钥是否更换、是否有操作结束了全部会话，以及会话是否有即使在使用也会到期的最长期限。",
		MsgKeepsSomeClients:     "负载均衡器只把部分客户端固定在原节点。请检查会话保持表是否已满（HAProxy 检查 `stick-table ... size`、`nopurge`）或早于会话过期（`expire`），以及通往节点的所有路径是否使用同一种会话保持方式。若尚未启用会话保持，请启用（ip_hash 或粘性 Cookie），或让节点共享会话并设 policy: shared。",
		MsgSplitToUnlisted:      "这些请求都由未列出的 {{.Node}} 应答：负载均衡器在会话保持之前就把一部分请求分给了它，如灰度发布。请按客户端而不是按请求分流（nginx 的 `split_clients` 用 `$remote_addr` 或 Cookie，不要用 `$request_id`；HAProxy 的 `use_backend ... if` 按 Cookie 判断）。",
		MsgLostAfterMove:        `{{if .Duration}}负载均衡器会忘记空闲的客户端：{{.Duration}} 没有请求后，{{end}}由其他节点应答时，会话已丢失{{template "of nodes" .}}`,
		MsgRefusedDirectly:      "直接访问时，节点对 {{.Path}} 返回 HTTP {{.Status}}，而客户端经负载均衡器可以得到该页面：请把节点的 `host` 设为负载均衡器转发的域名",
		MsgOtherPageDirectly:    `直接访问时，{{list .Nodes}} 给出的不是客户端经负载均衡器得到的会话页面：缺少站点的域名，或负载均衡器添加的请求头`,
		MsgSetHost:              "请把节点的 `host` 设为负载均衡器转发的站点域名（{{.Server}}），并用 `request.headers` 补上负载均衡器添加的请求头（如 `X-Forwarded-Proto`）。若节点只接受负载均衡器的地址，请放行 stickwatch 的地址。",
		MsgOutlastSession:       "负载均衡器记住客户端的时间不应短于会话的有效期（{{.Limit}}），而它在 {{.Duration}} 内就忘记了。请延长会话保持表或粘性 Cookie 的过期时间（HAProxy 检查 `stick-table ... expire`、`cookie ... maxidle` 与 `maxlife`；nginx 检查 `sticky cookie ... expires`、`sticky learn ... timeout`；httpd 检查路由 Cookie 的 `Max-Age`），并检查该表的容量。",
		MsgShareOrHold:          "请检查所有节点是否使用同一个会话存储，或相互复制；在此之前，负载均衡器须把客户端固定在原节点，其 Cookie 或会话保持表不得早于会话过期（HAProxy 检查 `maxlife`、`expire`）。达到连接数上限的服务器也会把其客户端转到别处（nginx 检查 `max_conns`）。",
		MsgDrainBeforeOut:       "{{list .Nodes}} 上仍有客户端的会话，却已在负载均衡器中停用：放回后，尚未再次访问的客户端仍可保住会话。下次停用前请先将节点排空（httpd：balancer-manager 的 `Draining Mode`；HAProxy：`set server ... state drain`），直至其会话结束，或让各节点共享会话。",
		MsgRolledBack:           `会话恢复成了较早的内容{{template "of nodes" .}}`,
		MsgFindStaleCopy:        "有节点返回了旧的会话内容：请检查会话复制（异步或失败）、会话存储是否因已满或只读而拒绝写入、各节点时钟，以及会话存储之前的缓存。",
		MsgHeldValue:            `会话 {{template "named session" .}} 原存有 {{.Count}}，在{{with .Node}} {{.}} {{else}}未知节点{{end}}返回 {{quote .Value}}（{{clock .At}}）`,
		MsgHeldID:               `会话 {{template "named session" .}} 在{{with .Node}} {{.}} {{else}}未知节点{{end}}变为 {{.NewSession}}（{{clock .At}}）`,
		MsgLostAtAge:            "丢失的会话都已存在 {{span .Duration}}，没有更久的会话保留下来：会话可能在使用中也会到期",
		MsgLeaked:               "不同客户端得到了同一会话：一个用户存入的内容会被另一个用户读到",
		MsgSameSession:          "两个没有 Cookie 的客户端得到了同一会话 {{.Session}}（{{clock .Since}} 与 {{clock .At}}）",
		MsgReadForeign:          "会话 {{.Session}} 读到了由会话 {{.NewSession}} 存入的 {{.Value}}（{{clock .At}}）",
		MsgGivenForeign:         "会话 {{.Session}} 的客户端得到了另一客户端的会话 {{.NewSession}}（{{clock .At}}）",
		MsgShowedForeign:        "直接向 {{.Node}} 出示会话 {{.Session}}，显示了由会话 {{.NewSession}} 存入的 {{.Value}}",
		MsgFindCache:            "请检查客户端与节点之间是否有缓存保存了带 Set-Cookie 的响应：会话页面应返回 Cache-Control: no-store，且缓存不得忽略它（nginx 的 proxy_ignore_headers；HAProxy 的 cookie insert 请加 nocache）。",
		MsgSessionsFail:         `持有会话的客户端请求出错{{template "of nodes" .}}，而新客户端正常`,
		MsgWritesFail:           `会话无法写入{{template "of nodes" .}}，而新客户端正常`,
		MsgNewGotPage:           "{{.Of}} 个新客户端中有 {{.Count}} 个得到了页面",
		MsgFindWriteError:       "请在应用日志中查看写入会话的请求：常见原因有值无法序列化、存储只读、CSRF 令牌被拒。",
		MsgFindSessionError:     "请在应用日志中查看带会话 Cookie 的请求：常见原因有发布后类不兼容、各节点密钥不一致、会话锁定过久。",
		MsgShortenCookies:       "此类客户端的 Cookie 已达 {{.Count}} 字节，服务器拒绝这么长的请求头（nginx 的 `large_client_header_buffers`、httpd 的 `LimitRequestFieldSize`、Tomcat 的 `maxHttpHeaderSize`）。请查找每次应答都换名字的 Cookie，例如始终没有完成的登录的状态 Cookie（`mod_auth_openidc` 的 `OIDCStateMaxNumberOfCookies`），并让它们尽快过期。",
		MsgFindNoAnswer:         "没有应答的请求不一定出现在应用日志中。请检查会话是否锁定过久、进程是否崩溃，以及负载均衡器是否有不应答的规则，也许只针对请求较多的单个地址（nginx 的 `limit_req_status 444`、`return 444`，HAProxy 的 `silent-drop`、`tarpit`、`reject`）；如有，请排除 {{.Address}}，或调低 `budget.requests_per_second`。",
		MsgNotShared:            "{{list .Nodes}} 不认识其他节点的会话：若故障转移到那里，用户会丢失会话",
		MsgNotSharedNow:         "{{list .Nodes}} 不认识其他节点的会话，用户正在丢失会话",
		MsgKnownDirectly:        "会话 {{.Session}}，{{clock .At}} 直接提交给 {{.Node}}：该节点认识此会话",
		MsgNotKnownThere:        "直接向 {{.Other}} 出示 {{.Node}} 的会话 {{.Session}}：该节点不认识",
		MsgRepairReplication:    "请检查这些节点的会话复制或共享存储：集群成员、地址，以及应用是否声明为 distributable。",
		MsgCookieRejected:       "会话 Cookie {{.Name}} 不会被浏览器带回：{{say .Why}}",
		MsgCookieTooLong:        "它超过 4096 字节",
		MsgCookieSecurePrefix:   "其名称要求带 Secure",
		MsgCookieHostPrefix:     "其名称要求带 Secure 与 Path=/，且没有 Domain",
		MsgCookieSameSite:       "SameSite=None 要求带 Secure",
		MsgCookieSecure:         "它带有 Secure，而负载均衡器以 {{.Value}} 访问",
		MsgCookieDomain:         "Domain={{.Name}} 不包含 {{.Value}}",
		MsgCookiePath:           "Path={{.Name}} 不包含 {{.Value}}",
		MsgCookieNoPath:         "它没有 Path，因此属于 {{.Name}}，不包含 {{.Value}}",
		MsgCookieEnded:          "它在设置 {{span .Duration}}后到期，其间没有应答为它续期",
		MsgCameWithoutCookie:    "会话 {{.Session}} 的客户端请求时已没有该 Cookie（{{clock .At}}）",
		MsgExtendCookie:         "请在用户使用期间为该 Cookie 续期（express-session 设 `rolling: true`），或让它随浏览器关闭而失效（PHP 设 `session.cookie_lifetime = 0`）。若会话本应在此时结束，请把 session.timeout 设为该时长。",
		MsgCookieSet:            `由{{with .Node}} {{.}} {{else}}某个应答{{end}}经负载均衡器设置（{{clock .At}}）`,
		MsgCorrectCookie:        "请在设置该 Cookie 的应用或负载均衡器处修正其属性（Path、Domain、Secure；nginx 用 proxy_cookie_path、proxy_cookie_domain）。",
		MsgNoCookie:             "应用在 {{.Name}} 下没有设置任何会话 Cookie",
		MsgPageWithoutCookie:    "{{.Count}} 个新客户端得到了页面，但没有会话 Cookie",
		MsgCookieRemoved:        "直接访问时 {{list .Nodes}} 会设置会话 Cookie，而经负载均衡器的客户端都得不到它",
		MsgLetCookiePass:        "请为负载均衡器自己的 Cookie 换一个与应用不同的名称，或让应用的 Cookie 通过（nginx 检查 proxy_hide_header、proxy_ignore_headers；httpd 中把 `Header set Set-Cookie` 改为 `Header add`；以及负载均衡器之前的缓存或过滤）。",
		MsgForwardScheme:        "若应用要求 HTTPS，请让负载均衡器告知用户使用的协议：proxy_set_header X-Forwarded-Proto $scheme，并让应用信任代理；或让 stickwatch 以 HTTPS 访问（balancer.url）。若应用在用户登录后才创建会话，请设置 session.login。否则请修正 session.id。",
		MsgHandshakesBreak:      `{{or .Name "Engine.IO"}} 握手失败：{{.Of}} 个客户端中有 {{.Count}} 个无法建立连接`,
		MsgMakePathSticky:       "同一次握手的所有请求必须到达同一节点：请为该路径启用 ip_hash 或粘性 Cookie。",
		MsgCheckHandshakePath:   `应答的不是 {{or .Name "Engine.IO"}} 端点：请核对 handshake.path，并确认负载均衡器把该路径转发到节点。`,
		MsgUpgradesRefused:      "WebSocket 升级无法通过负载均衡器：{{.Of}} 个客户端中有 {{.Count}} 个停留在轮询",
		MsgPassUpgrade:          `请在 nginx 的 location 中设置：proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";`,
		MsgHandshakeBreaksAt:    `不经负载均衡器，直接与 {{.Node}} 的 {{or .Name "Engine.IO"}} 握手也失败`,
		MsgCheckSocketIO:        `请检查 {{.Node}} 上的 {{or .Name "socket.io"}} 服务：它的其他页面有应答。`,
		MsgHandshakeGot:         `{{client .Client}}在 {{or .Node .Address}}，阶段 {{.Name}}：{{with .Status}}{{if not (mentions $.Reason .)}}HTTP {{.}}，{{end}}{{end}}{{or .Reason "没有升级"}}`,
		MsgStoreMoved:           "会话切换到了另一个存储，没有丢失（{{.Count}} 次）",
		MsgSessionStoreMoved:    "会话 {{.Session}} 从 {{.Name}} 切换到 {{.Server}}（{{clock .At}}）",
		MsgBringStoreBack:       "会话没有丢失。请检查会话原来所在的存储，并在另一个存储出现问题之前恢复它。",

		// The balancer as a whole: split.go, remapped.go.
		MsgSplit:             "同一客户端在同一时刻落在不同节点：负载均衡器的各部分对节点是否正常判断不一",
		MsgSplitByAddress:    "客户端 {{.Client}} 在 {{index .Addresses 0}} 落在 {{.Node}}，在 {{index .Addresses 1}} 落在 {{.Other}}",
		MsgSplitByWorker:     "客户端 {{.Client}} 有 {{.Of}} 次由 {{.Node}} 应答，{{.Count}} 次由除它之外的下一个节点 {{.Other}} 应答",
		MsgAddZone:           "请在 nginx 的 upstream 中加入 zone，使各 worker 共同计数失败；若有多个负载均衡器地址，请检查各自能连到哪些节点。",
		MsgSameLines:         "请让负载均衡器的各个地址使用相同且顺序一致的 server 行，并检查各自能连到哪些节点。",
		MsgAddressesDisagree: "负载均衡器的各个地址没有把同一客户端送到同一节点：{{.Of}} 个会话带着 Cookie 换到另一个地址后，有 {{.Count}} 个到了其他节点{{if .Lost}}，其中 {{.Lost}} 个丢失{{end}}",
		MsgCarriedTo:         `{{with .Node}}{{.}} 的{{end}}会话 {{or .Session "（标识不可见）"}} 在 {{index .Addresses 0}} 建立，换到 {{index .Addresses 1}} 后{{if .Other}}由 {{.Other}} 应答{{if .Lost}}，而它不认识该会话{{end}}{{else}}不被认识{{end}}（{{clock .At}}）`,
		MsgSameCookies:       "请让负载均衡器的每个地址使用相同的粘性 Cookie：名称、各 server 对应的值以及密钥（如有）都要一致。按哈希保持会话时，请使用相同的键和相同顺序的 server 行；按表保持会话时，请共享该表（HAProxy 用 `peers`）。",
		MsgRemapped:          "自约 {{second .At}} 起，负载均衡器把 {{.Of}} 个观察中的客户端里的 {{.Count}} 个改分配到其他节点，并一直如此{{with .Why}}：{{say .}}{{end}}{{if .Lost}}；丢失了 {{.Lost}} 个会话{{end}}",
		MsgNodesCameOrWent:   "{{list .Nodes}} 加入或退出，其他节点的客户端也随之变动",
		MsgRoutesChanged:     "其 Cookie 指向的服务器与之前不同",
		MsgKeepRoutes:        "变更服务器列表时，请保持每台服务器的 Cookie 值（`cookie`、`route`、`jvmRoute`）以及 Cookie 的密钥不变。",
		MsgTableForgotten:    "它丢失了会话保持表，或 server 列表被改动",
		MsgLineRemoved:       "{{.Node}} 的 server 行被删除",
		MsgLinesReordered:    "server 行的顺序被改变",
		MsgLineAdded:         "增加了一行 server",
		MsgListRestored:      "server 列表已恢复为配置中的列表",
		MsgAnsweredSince:     `{{.Node}} 的会话 {{or .Session "（标识不可见）"}} 自 {{clock .At}} 起由 {{.Other}} 应答`,
		MsgMarkDown:          "下线节点时请将 server 标为 down，而不是删除该行，其他客户端就不会变动。请把本集群的节点列表改为与负载均衡器一致。",
		MsgKeepLines:         "请保持 server 行的数量和顺序，或使用 hash ... consistent，以减少变动的客户端。请把本集群的节点列表改为与负载均衡器一致。",
		MsgHashConsistently:  "设 `hash-type consistent` 后，server 增减时 HAProxy 只移动较少的客户端；用 Cookie 保持会话时，只移动有变动的 server 的客户端。若这一变动是长期的，请把本集群的节点列表改为与负载均衡器一致。",
		MsgCarryTable:        "若 HAProxy 使用粘性表，请用 peers 段在重新加载时保留，或改用 Cookie；使用 balance source 时，请设 hash-type consistent。",

		// Why a session moved: movement.go.
		MsgMovedSilent:      "{{.Node}} 没有应答",
		MsgMovedRestarted:   "{{.Node}} 已重启",
		MsgMovedPaused:      "{{.Node}} 已暂停",
		MsgMovedTried:       "尝试 {{.Node}} 未成功",
		MsgMovedDown:        "{{.Node}} 曾没有应答",
		MsgMovedOut:         "{{.Node}} 已摘除",
		MsgMovedBack:        "{{.Node}} 已恢复",
		MsgMovedRemapped:    "负载均衡器有变更",
		MsgMovedShared:      "任何节点都可应答",
		MsgMovedUnexplained: "原因不明",

		// Restarts: nodes.go, timeline.go, node_timeline.go, skew.go.
		MsgRestarted:         "{{.Node}} 已重启",
		MsgSeemsRestarted:    "{{.Node}} 丢失了全部会话，疑似已重启",
		MsgAtMoment:          "{{clock .At}}：{{say .Why}}",
		MsgRestartOrDeletion: "若无人重启过，则会话是在其运行期间被删除的：请查明是谁清除了会话（Tomcat：重新加载或重新部署了应用，或卸载了旧的 `##` 版本）。若节点状态报告启动时间（up_since），即可区分这两种情况。",
		MsgFindWhyEnded:      "若是有意重启，无须处理；否则请查明其进程为何退出。",
		MsgLostWithLeaving:   "{{list .Nodes}} 从节点列表中移除时丢失了 {{.Count}} 个会话",
		MsgLeftTheList:       "{{.Node}} 已不在节点列表中",
		MsgComesAndGoes:      "{{.Node}} 在 {{span .Duration}}内 {{.Count}} 次从节点列表中消失又重新出现{{if .Lost}}，其上 {{.Lost}} 个会话丢失{{end}}",
		MsgMovedLeft:         "{{.Node}} 已不在节点列表中",
		MsgNodesChanged:      "节点列表已变化{{if .Values}}；新增：{{list .Values}}{{end}}{{if .Nodes}}；移除：{{list .Nodes}}{{end}}",
		MsgNodeJoined:        "{{.Node}} 已列入",
		MsgSourceFails:       "{{.Name}} 未给出可用的节点列表{{if .Count}}，继续使用上一份列表（{{.Count}} 个节点）{{end}}",
		MsgSourceAnswered:    "{{if .At.IsZero}}stickwatch 启动以来它尚未应答{{else}}最近一次可用应答：{{clock .At}}{{end}}",
		MsgSourceRestored:    "stickwatch 启动以来它尚未应答：节点取自已存储的 {{clock .At}} 的应答",
		MsgMendSource:        "请检查节点来源：该域名的记录、文件、服务，或负载均衡器的统计页面。若节点较少属于正常，请调低 min_nodes。",
		MsgNothingIfMeant:    "若是有意为之，无须处理。",
		MsgNoNodesYet:        "{{.Name}} 尚未给出节点列表，因此还没有已知节点",
		MsgCrashLoop:         "{{.Node}} 在 {{span .Duration}}内重启了 {{.Count}} 次{{if .Lost}}，其上 {{.Lost}} 个会话丢失{{end}}",
		MsgEndCrashLoop:      "请先将 {{.Node}} 从负载均衡器摘除，再查看其日志，查明进程为何退出：程序错误、内存上限，或守护程序的健康检查失败。",
		MsgLostWithRestart:   "{{list .Nodes}} 重启时丢失了 {{.Count}} 个会话",
		MsgLostWithFailure:   "{{list .Nodes}} 故障期间丢失了 {{.Count}} 个会话",
		MsgRestartUnwatched:  "{{list .Nodes}} 已重启；当时没有监测会话在其上，无法得知丢失了多少会话",
		MsgNoneWatched:       "{{.Node}} 于 {{second .At}}：没有监测会话在其上（{{say .Why}}）",
		MsgLostThere:         "{{.Node}} 于 {{second .At}}：丢失 {{.Count}} 个会话（{{say .Why}}）",
		MsgDrainFirst:        "在 sticky 策略下，节点重启或故障会使其用户丢失会话：请在重启前先将节点排空，并预先通知发布，或让各节点共享会话。",
		MsgSessionsForgotten: "它不再认识此前建立的 {{.Count}} 个会话，而此后建立的能保持",
		MsgTriedInVain:       "负载均衡器尝试它未成功（{{clock .At}}）",
		MsgAClientGot:        "有客户端得到 {{say .Why}}",
		MsgListensAgain:      "它的地址此前没有进程监听，现在恢复应答",
		MsgProcessChanged:    "它的进程号由 {{.Was}} 变为 {{.Value}}",
		MsgStartChanged:      "它的启动时间（节点自报）由 {{.Was}} 变为 {{.Value}}",
		MsgPrimaryLate:       "主节点 {{.Node}} 晚于 {{list .Nodes}} 启动",
		MsgRunsSince:         "{{.Node}} 自 {{with .Value}}{{.}}（节点自报）{{else}}{{date .At}} {{end}}起运行",
		MsgRestartOthers:     "请重启其他节点：主节点须最先启动、最后停止。若各节点以不同时区显示时间，则无法比较，请统一时区。",

		// Dependencies, pages, identity and others: dependencies.go, pages.go,
		// identity.go, skew.go, limits.go.
		MsgDependencyDown:        "{{.Name}} 不可用",
		MsgDependencyUnavailable: "{{list .Nodes}} 无法使用 {{.Name}}",
		MsgReportedUnavailable:   "{{list .Nodes}} {{with .Path}}在 {{.}} 中{{end}}报告其不可用",
		MsgDependencyAnswers:     "stickwatch 直接访问：有应答",
		MsgDependencySilent:      "stickwatch 直接访问：{{.Reason}}",
		MsgBringDependencyBack:   "请恢复 {{.Name}}，因它而暂停的节点会自动恢复。",
		MsgCheckWayToDependency:  "请检查 {{list .Nodes}} 访问 {{.Name}} 所用的地址、凭据和防火墙；也可能是节点的状态没有更新。",
		MsgDisputedByNodes:       "{{list .Nodes}} 报告 {{.Name}} 不可用，而它对 stickwatch 有应答",
		MsgDisputedByProbe:       "{{.Name}} 对 stickwatch 没有应答，而没有节点报告其不可用",
		MsgReportNothing:         "{{list .Nodes}} 没有报告异常",
		MsgCheckOwnCredentials:   "请核对 stickwatch 访问 {{.Name}} 所用的地址和凭据，以及节点是否使用相同的。故障转移后，节点可能已改用另一台服务器：请让 stickwatch 通过哨兵查询主库（`redis+sentinel://`），或改用随主库切换的地址。",
		MsgPageFailsOn:           `{{.Node}} 上的 {{.Path}} 异常：得到 {{template "what came" .}}，应为 {{.Value}}`,
		MsgPageFailsThrough:      `经负载均衡器访问 {{.Path}} 异常：得到 {{template "what came" .}}，应为 {{.Value}}`,
		MsgCheckPage:             "请在应用日志中查看该请求；若页面已迁移，请修正配置中的路径或状态码。",
		MsgAnotherPage:           "{{.Node}} 上的 {{.Path}} 是另一个页面：应答中既没有节点也没有会话，而其他节点都有",
		MsgLeadsTo:               "它被引到 {{.Path}}",
		MsgNobodysPage:           "经负载均衡器访问 {{.Path}}，得到的不是任何节点的应答：HTTP {{.Status}}，没有节点和会话",
		MsgNobodysTitle:          "经负载均衡器访问 {{.Path}}，得到的不是任何节点的应答：其标题为“{{.Value}}”",
		MsgNoNodeAnswersSo:       "直接访问时，没有节点这样应答",
		MsgCheckBetween:          "请检查客户端与节点之间的环节：负载均衡器的虚拟主机（server_name 与所请求的 Host）、location 与重定向。",
		MsgCheckRefusal:          "请查找负载均衡器或其前面的 Web 应用防火墙中拒绝该请求的规则。它可能只拒绝 stickwatch：因为 User-Agent（可用 `request.headers` 修改）、来源地址或缺少凭据（`request.basic_auth`）。否则请检查负载均衡器的虚拟主机与 location。",
		MsgDuplicateID:           "{{list .Nodes}} 都自称 {{quote .Value}}：节点标识必须唯一",
		MsgSaysItIs:              "直接访问 {{with .Node}}{{.}}（{{$.Address}}）{{else}}{{.Address}}{{end}}，它自称 {{quote .Value}}",
		MsgGiveOwnIDs:            "请让每个节点使用各自的标识（cluster_node.properties 的 nodeId、server.xml 的 jvmRoute）；若两个地址指向同一台机器，请修正节点地址。",
		MsgMisidentified:         "{{.Node}} 的地址以 {{.Other}} 的身份应答",
		MsgCorrectAddresses:      "请修正配置中 {{.Node}} 与 {{.Other}} 的地址，或修正应用在该处的标识。",
		MsgUnlistedNode:          "负载均衡器把客户端分配到 {{quote .Value}}，它不在节点列表中",
		MsgAnsweredByUnlisted:    "{{client .Client}}由 {{quote .Value}} 应答（{{clock .At}}）",
		MsgListIt:                "请把它加入本集群的节点列表，或将它移出负载均衡器。",
		MsgManyUnlistedNodes:     "经负载均衡器的应答给出了 {{.Count}} 个不在节点列表中的名称",
		MsgCorrectNodeLabel:      "若每次应答读到的内容都不同，请修正 session.node；否则请把这些节点加入集群，或将它们移出负载均衡器。",
		MsgVersionsDiffer:        "各节点运行的版本不一致（{{list .Values}}）",
		MsgDeployOneVersion:      "请在所有节点部署同一版本；滚动发布期间的不一致会自行消失。",
		MsgSettingsDiffer:        "各节点的配置项 {{.Setting}} 不一致（{{list .Values}}）",
		MsgEqualiseSettings:      "请让所有节点使用相同的配置，并重启不一致的节点。",
		MsgNodesHave:             "{{list .Nodes}}：{{or .Value `\"\"`}}",
		MsgVersionUnexpected:     "{{list .Nodes}} 运行的不是预期版本 {{.Value}}",
		MsgRunsVersion:           `{{.Node}} 运行 {{or .Value "未知版本"}}`,
		MsgWaitForDeployment:     "请等待发布到达这些节点，或在其上部署。",
		MsgClocksDiffer:          "节点之间的时钟相差超过 {{span .Limit}}（{{list .Nodes}}）",
		MsgClocksApart:           "{{.Node}} 与 {{.Other}} 至少相差 {{span .Duration}}",
		MsgSynchroniseClocks:     "请在这些节点上启用时间同步（chrony、systemd-timesyncd）并核对时区：会话与签名按时钟过期。",
		MsgSlowNode:              "直接访问 {{.Node}} 用了 {{span .Duration}}才应答，超过 {{span .Limit}}",
		MsgFindLoad:              "请检查 {{.Node}} 的负载、垃圾回收及其后端服务。",
		MsgSlowBalancer:          "负载均衡器 {{.Address}} 用了 {{span .Duration}}才应答，超过 {{span .Limit}}",
		MsgCookieReplaced:        "同一应答又设置了一个同名 Cookie，覆盖了它：负载均衡器和应用可能用了同一个名称",
		MsgRenameCookie:          "请让负载均衡器自己的 Cookie 使用与应用不同的名称。",
		MsgDriftByURL:            "负载均衡器按 URL 选择节点：{{.Count}} 次存储值的请求由其他节点应答，而对 {{.Path}} 的 {{.Of}} 次后续请求都留在原节点",
		MsgHashNoURL:             "请让负载均衡器按客户端不变的特征（地址、负载均衡器的 Cookie）选择节点，而不是按 URL（nginx 的 hash $request_uri、HAProxy 的 balance uri、Caddy 的 uri_hash）。并确认应用的所有路径使用同一个 upstream。",
		MsgPassCookie:            "节点认识这些会话，但经过负载均衡器时收不到会话 Cookie：请让它通过（nginx 的 proxy_set_header Cookie，httpd 的 RequestHeader，HAProxy 的 http-request del-header；或其前面的过滤器、代理）。",
		MsgCompareDirect:         "请与直接访问节点比较：若节点很快，时间就耗在负载均衡器，或对故障节点的重试上。",
		MsgPhases:                "{{say .Why}}；域名解析 {{span .Timing.DNS}}，连接 {{span .Timing.Connect}}，TLS {{span .Timing.TLS}}，首字节 {{span .Timing.FirstByte}}",
		MsgPacketsLost:           "网络丢包：最近 {{span .Duration}}内有 {{.Count}} 个连接用了 1 秒以上才建立",
		MsgConnectTook:           "连接 {{.Name}} 用了 {{span .Duration}}（{{clock .At}}）",
		MsgFindLostPackets:       "请检查丢包的链路或端口，以及已满的监听队列（ss -lt）。负载均衡若等不到重发的报文，会摘除正常的节点：请将其连接超时设为 1 秒以上。",
		MsgCertificateExpires:    "{{or .Node .Address}} 的证书将在 {{days .Duration}} 天后过期",
		MsgCertificateExpired:    "{{or .Node .Address}} 的证书已过期",
		MsgValidUntil:            "有效期至 {{stamp .At}}",
		MsgRenewCertificate:      "请更新证书，并重新加载提供该证书的服务。",

		MsgHistoryDamaged: "历史文件已损坏，已启用新的历史",
		MsgCheckDisk:      "请检查磁盘与文件系统。损坏的文件已原样保留，确认不再需要后可删除。",
		MsgHistoryKept:    "损坏的文件保留为 {{.Path}}",
		MsgHistoryDamage:  "损坏情况：{{.Reason}}",
		MsgHistorySaved:   "各表转入的行数：{{list .Values}}",
		MsgProberImpaired: "stickwatch 自身无法探测：所有集群都无法判断",
		MsgCannotConnect:  "本机无法建立连接：{{.Reason}}",
		MsgNoRoute:        "本机已没有通往 {{.Address}} 的路径：{{.Reason}}",
		MsgNobodyAnswers:  "全部 {{.Count}} 个集群在同一时刻起不再应答：本机没有网络，或者它们全都被隔离",
		MsgClockJumped:    "本机时钟被拨动了 {{span .Duration}}",
		MsgRepairProber:   "检查 stickwatch 所在的机器：网络接口、路由与防火墙、打开文件数上限（LimitNOFILE）以及 ip_local_port_range。",

		MsgProberOverloaded:     "运行 stickwatch 的机器性能不足：所有集群的探测都比配置的稀疏",
		MsgStretched:            `探测间隔为配置值的 {{printf "%.1f" .Rate}} 倍；两轮之间发生的事件无法看到`,
		MsgFleetWithoutDatabase: "多实例共用的数据库不可用：本实例保留自己的集群，并自行发送通知",
		MsgFleetAlone:           "期间若有实例结束，它的集群将无人监测；同一消息可能由两个实例发出",
		MsgRepairDatabase:       "请检查 PostgreSQL、其磁盘以及它与本实例之间的网络。数据库恢复后，期间的判定会全部写入。",

		MsgSiteDisagrees: "{{.Name}} 看到了其他站点没有看到的故障",
		MsgCompareSites:  "请比较 {{.Name}} 与其他站点到集群的路径：网络、DNS、防火墙、代理。{{.Name}} 附近的用户可能遇到同样的问题。",
		MsgSeenFrom:      "从 {{list .Values}} 可见；从 {{list .Addresses}} 不可见",
		MsgSitesSilent:   "没有来自 {{list .Values}} 的消息，不知道从那里看到的情况",

		MsgRelieveProber: "请换用性能更好的机器、加长间隔，或由多个 stickwatch 分担集群。也可能是其他进程占用了该机器。",
	},
}

var statesInChinese = map[probes.ServerState]string{
	probes.ServerUp:          "正在接收流量",
	probes.ServerDown:        "已被摘除",
	probes.ServerDraining:    "正在排空",
	probes.ServerMaintenance: "处于维护状态",
	probes.ServerUnknown:     "状态未知",
}

// Span returns a duration in the units of the language, such as "1m30s".
func (l Language) Span(d time.Duration) string {
	if l == Chinese {
		return spanInChinese(d)
	}
	return d.String()
}

// spanInChinese formats a duration with Chinese units: 1 分 30 秒.
func spanInChinese(d time.Duration) string {
	text := d.String()
	for _, empty := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, empty) {
			text = text[:len(text)-2]
		}
	}
	text = strings.TrimSpace(units.Replace(text))
	if strings.HasSuffix(text, " 分") {
		text += "钟"
	}
	return text
}

var units = strings.NewReplacer("ms", " 毫秒 ", "µs", " 微秒 ", "ns", " 纳秒 ", "h", " 小时 ", "m", " 分 ", "s", " 秒 ")

// targetsInChinese are the targets of findings that are words, and not names of the set-up.
var targetsInChinese = map[string]string{
	"rotation": "轮转", "labels": "节点标识", "interval": "间隔", "status": "状态页", "login": "登录", "none": "无 Cookie",
	afterMove: "移动之后", lostPacketsTarget: "丢包", sessionsLost: "会话丢失", crashLoop: "反复重启",
}

// TargetIn returns a target of a finding, or the node and target of its key, for people.
func TargetIn(l Language, target string) string {
	if l != Chinese {
		return target
	}
	for word, translated := range targetsInChinese {
		if rest, found := strings.CutSuffix(target, word); found && (rest == "" || strings.HasSuffix(rest, " ")) {
			return rest + translated
		}
	}
	return target
}
