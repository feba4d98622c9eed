package phrase

// chinese translates the texts. A test requires an entry for every text.
var chinese = map[string]string{
	// Verdicts, severities, states and answers.
	"healthy": "正常", "degraded": "降级", "failing": "故障", "inconclusive": "无法判断",
	"critical": "严重", "warning": "警告", "info": "信息",
	"pending": "待确认", "firing": "进行中", "resolved": "已恢复",
	"yes": "是", "no": "否", "unknown": "未知",
	"refused": "拒绝连接", "unreachable": "不可达", "reset": "连接被重置", "timeout": "超时", "malformed": "响应无法解析",
	"redirect": "重定向过多", "cancelled": "已取消", "prober": "本机故障", "other": "其他错误",

	// Lists and parts of sentences.
	", ": "，", "; ": "；", "%s: HTTP %d": "%s：HTTP %d", "%s: %s": "%s：%s", "%s (%s)": "%s（%s）", "(%s)": "（%s）", "(%s, %s)": "（%s，%s）",
	"%s to %s": "%s 至 %s", "from %s to %s": "%s 至 %s", "since %s": "始于 %s", "on %s": "在 %s 上", "%s at %s": "%s（%s）", "%s of %s": "%[2]s 的 %[1]s",
	"none": "无", "several": "多个节点", "everything": "全部",
	"(and %d more)": "（另有 %d 项）", "%s (and %d more)": "%s（另有 %d 项）", "… %d more": "… 另有 %d 项", "… and %d more": "… 另有 %d 项",
	"… %d more (-o json shows all)":      "… 另有 %d 项（-o json 显示全部）",
	"… and %d more (-o json shows all)":  "… 另有 %d 项（-o json 显示全部）",
	"%d (the newest; there may be more)": "%d（最新部分，可能还有更多）",
	"%d nodes":                           "%d 个节点", "%d clusters": "%d 个集群", "%d sessions": "%d 个会话", "%d requests": "%d 个请求",
	"%d probes": "%d 次探测", "%d canaries": "%d 个探测会话", "%d new clients": "%d 个新客户端", "%d follow-ups": "%d 次后续请求",
	"%d-%d follow-ups": "%d-%d 次后续请求", "%s each": "每个 %s",

	// Labels.
	"node": "节点", "balancer": "负载均衡器", "dependency": "依赖服务", "canary": "探测会话", "session": "会话", "sessions": "会话",
	"client": "客户端", "clients": "客户端", "new clients": "新客户端", "doubt": "疑点", "watch": "观察", "guarantee": "保证", "outage": "中断",
	"incident": "事件", "course": "经过", "started": "开始", "notified": "已通知", "ended": "结束",
	"id": "编号", "what": "范围", "when": "时间", "reason": "原因", "author": "操作人",
	"NODE": "节点", "DIRECT": "直接访问", "STATE": "状态", "PAGES": "页面", "ROTATION": "流量", "VERSION": "版本", "CLOCK": "时钟", "LATENCY": "延迟",
	"Findings": "问题", "Remedy:": "处理建议：", "explains": "由此引起", "Deployment": "发布", "Cluster": "集群", "Timeline": "时间线",
	"Uptime": "可用率", "Incidents": "事件", "Sessions that moved": "转移的会话", "Deployments": "发布",
	"nodes": "节点", "follow-ups": "后续请求", "failover readiness": "故障转移检查", // stages of a round

	// The report of a round.
	"%d of %s up": "%[2]s中 %[1]d 个在线", "up": "正常", "down": "不可用", "in": "接收流量", "out": "已摘除", "paused": "已暂停",
	"not probed": "未探测", "pages": "页面", "%s, reported down by %s": "%s，%s 报告其不可用",
	"through %s": "经 %s", "%d more stayed on their nodes": "另有 %d 个保持在原节点",
	"(unknown node)": "（未知节点）", "no answer": "无应答", "… %d more changes": "… 另有 %d 次变化",
	"kept": "保留", "lost": "丢失", "(* a new session)": "（* 为新会话）", "own address": "本机地址",
	"shared: %s": "共享：%s", "sticky: %s": "保持：%s", "replicated: %s": "复制：%s", "(the policy does not demand it)": "（策略不要求）",
	"over %s sure": "置信度高于 %s", "%s sure": "置信度 %s", "affects %s": "影响 %s", "there is no cluster": "没有集群",

	// What check and where print.
	"%s is valid: %s (%s), %s": "%s 有效：%s（%s），%s", "%s and those of %s": "%s，另有 %s 列出的节点", "%d sources": "%d 个来源",
	"%s accepted the test message and its resolution":   "%s 已接收测试消息及其恢复消息",
	"skipped, because the method is not computable: %s": "已跳过，因为算法无法计算：%s",
	"line %d: %s": "第 %d 行：%s", "%q is not an IP address": "%q 不是 IP 地址", "and %s": "另有 %s", "%d more invalid lines": "%d 行无效",

	// The history.
	"The history is empty.": "历史为空。", "nothing was probed": "没有探测记录",
	"Latency": "延迟", "asked directly, within 5 %": "直接请求，误差不超过 5 %", "%d answers": "%d 个响应",
	"without %s of which only the mean is stored": "不含只保存了平均值的 %s", "no data": "暂无数据", "(owner unknown)": "（所属节点未知）",
	"recorded since this version of stickwatch, where sessions are followed": "自本版本的 stickwatch 起，在跟踪会话的集群记录",
	"%d of %s failed": "%[2]s中 %[1]d 次失败", "%d of %s failed or lost their session": "%[2]s中 %[1]d 个失败或丢失会话",
	"%s, for %s at the longest": "%s，最长持续 %s", "%d open": "%d 个未恢复", "%d lost": "%d 个丢失", "%d moved": "%d 个转移", "%d failed": "%d 个失败",
	"lasted %s": "持续 %s", "%s for %s": "%s，已持续 %s", "affected %s": "影响 %s", "flapping": "抖动", "silenced": "已静默", "acknowledged %s": "已认领 %s",
	"part of %s": "并入 %s", "nobody was notified": "未通知任何人", "ongoing": "进行中",

	// Silences and changes of incidents.
	"No silence is active or planned.": "没有生效或计划中的静默。", "until %s (%s left)": "至 %s（剩余 %s）", "%s: silenced %s": "%s：已静默，%s",
	"%s: acknowledged after %s: %s": "%s：事件持续 %s后已认领：%s", "%s: note added: %s": "%s：已添加备注：%s",

	// The instances of a fleet.
	"No instance of a fleet has used this history: start stickwatch serve with the key fleet in its configuration.": "还没有 fleet 实例使用过这份历史：请在配置中加入 fleet，再启动 stickwatch serve。",
	"instance": "实例", "site": "站点", "state": "状态", "clusters": "集群数", "heard of": "最近心跳", "version": "版本", "configuration": "配置", "%s ago": "%s前",
	"alive": "正常", "draining": "正在移交", "cannot probe": "无法探测", "gone": "已失联", "cluster": "集群", "watched by": "监测实例", "since": "始于", "epoch": "任期", "nobody": "无",

	// Waiting.
	"waiting for %s on %s": "等待 %[2]s 运行 %[1]s", "waiting for %s": "等待 %s", "waiting for version %s": "等待版本 %s", "waiting until healthy": "等待集群恢复正常",
	"not met after %s: %s": "等待 %s后仍未满足：%s", "the conditions of --wait are met; out of rotation: %s": "--wait 的条件已满足；未接收流量：%s",
	"(%s left) %s": "（剩余 %s）%s", "%s (does not answer)": "%s（无应答）", "%s (up, and the balancer sends it nothing)": "%s（在线，但负载均衡器不向其转发请求）",
	"%s does not answer: %s": "%s 无应答：%s", "%s answers HTTP %d": "%s 返回 HTTP %d", "%s is paused": "%s 已暂停", "%s is up, and not in rotation": "%s 在线，但不接收流量",
	"%s is up; whether it is in rotation is not known": "%s 在线，是否接收流量未知", "%s does not answer": "%s 无应答",
	"%s does not report its version, want %s": "%s 未报告版本，期望 %s", "%s runs %s, want %s": "%s 运行 %s，期望 %s",

	// The watch of a deployment: progress and totals.
	"watching %s: new clients, and no sessions": "正在观察 %s：新客户端，无会话", "watching %s: %s and new clients": "正在观察 %s：%s和新客户端",
	"watching %s: %s on %s, and new clients": "正在观察 %s：%[2]s（位于 %[3]s）和新客户端", "watching for %s: %s": "已观察 %s：%s",
	"%s answers again: %s": "%s 恢复应答：%s", "%s, %d failed, %s moved, %d lost": "%s，%d 个失败，%s转移，%d 个丢失",
	"%s lost, %d moved": "%s丢失，%d 个转移", "no session was watched": "没有观察任何会话", "%s; longest outage %s": "%s；最长中断 %s", "%s; no outage": "%s；无中断",
	"%s; incomplete (see the doubts)": "%s；不完整（见疑点）", "slowest answer %s": "最慢应答 %s", "moved": "转移", "failed": "失败",
	"… and %d more moves and losses": "… 另有 %d 次转移和丢失", "new clients of %s": "%s 的新客户端", "session on %s": "%s 上的会话", "%s; a column is %s": "%s；每列为 %s",

	// The watch of a deployment: nodes, moves and outages.
	"and %d more times": "另有 %d 次", "did not answer from %s to %s": "%s 至 %s 无应答", "did not answer from %s until the end of the watch": "自 %s 起至观察结束无应答",
	"was restarted": "已重启", "rolled back": "回退", "outcome unknown": "结果未知",
	"%s: no outage": "%s：无中断", "%s: outage of %s to %s": "%s：中断 %s 至 %s", "%s: outage ongoing, %s until the end of the watch": "%s：中断仍在持续，至观察结束已 %s",
	"%s: session %s moved and was kept %s": "%s：会话 %s 转移并保留（%s）", "%s: session %s was lost %s": "%s：会话 %s 丢失（%s）",
	"%s: session %s came back older %s": "%s：会话 %s 的数据回退（%s）", "%s: session %s moved %s": "%s：会话 %s 转移（%s）",
	"%s: no good answer for %d to %d ms (%s)":       "%s：%d 至 %d ms 内没有正常应答（%s）",
	"%s: no good answer on %s for %d to %d ms (%s)": "%s：%s 在 %d 至 %d ms 内没有正常应答（%s）",
	"%s, and to the end":                            "%s，直至结束",

	// The watch of a deployment: causes.
	"%s was restarted: %s": "%s 已重启：%s", "any node may answer": "任何节点均可应答", "%s does not answer since %s": "%s 自 %s 起无应答",
	"%s did not answer from %s to %s": "%s 在 %s 至 %s 无应答", "%s is back": "%s 已恢复", "%s is being drained": "%s 正在排空",
	"%s is back: it did not answer from %s to %s":                                            "%s 已恢复：此前 %s 至 %s 无应答",
	"%s did not answer from %s to %s, and workers of the balancer may leave it out until %s": "%s 在 %s 至 %s 无应答，负载均衡器的工作进程可能至 %s 前不向其转发请求",
	"%s answers direct requests, and got no requests from the balancer":                      "%s 可直接访问，但负载均衡器未向其转发请求",
	"unexplained: %s was well and in rotation":                                               "原因不明：%s 正常且在接收流量",

	// The watch of a deployment: guarantees.
	"no session is lost": "会话不丢失", "sessions are answered": "会话请求得到应答", "newcomers are answered": "新客户端得到应答", "sessions keep what they hold": "会话内容保留",
	"sessions stay while their node is well": "节点正常时会话不转移", "%s; %s is put up with": "%s；可容忍 %s", "and %d more like it": "另有 %d 项类似",
	"the application stores no values: only ids were compared": "应用不存储值：仅比较了会话 ID", "no session was held: the cluster has none to lose": "未持有会话：该集群没有可丢失的会话",
	"the sessions of %s stay, or move without loss": "%s 的会话保持，或转移而不丢失", "no session of ours was on %s": "我们没有会话在 %s 上",
	"new clients avoid %s": "新客户端避开 %s", "%s: a new client was sent to %s, while %s": "%s：一个新客户端被转发到 %s，当时 %s",
	"no new client was ever sent there from this address":                           "从本机地址从未有新客户端被转发到该节点",
	"at most %d new clients in a row were sent elsewhere; chance is excluded by %d": "最多连续 %d 个新客户端被转发到其他节点；需要 %d 个才能排除偶然",
	"%d new clients in a row were sent elsewhere":                                   "连续 %d 个新客户端被转发到其他节点",
	"the last one was sent there at %s, and then %d in a row elsewhere":             "最后一个于 %s 被转发到该节点，此后连续 %d 个被转发到其他节点",
	"the traffic of %s reaches zero":                                                "%s 的流量归零", "none of our clients was sent there": "我们的客户端均未被转发到该节点",
	"the balancer said all the time that it sends requests to %s":                  "负载均衡器始终报告在向 %s 转发请求",
	"measured with own clients: there is no evidence of the balancer about drains": "以自身客户端测得：负载均衡器没有提供排空信息",
	"new clients were sent there all the time":                                     "新客户端始终被转发到该节点", "neither the balancer nor new clients provide evidence": "负载均衡器与新客户端均未提供依据",
	"the last answer to a client of ours came at %s": "我们的客户端最后一次得到应答是在 %s", "%s, but for sessions that it had before: %d of ours stayed": "%s，原有会话除外：我们的 %d 个会话仍保留",
	"stickwatch itself could not probe for a while: %s":                   "stickwatch 自身曾有一段时间无法探测：%s",
	"no session could be held: the balancer answered none of our clients": "无法持有会话：负载均衡器未应答任何客户端",
	"answers do not identify their node, so moves cannot be detected":     "应答未标明所属节点，无法检测转移",
	"no session could be held on %s: none of our clients was sent there":  "无法在 %s 上持有会话：没有客户端被转发到该节点",

	// The demo.
	"A cluster of three nodes runs behind %s. Press Ctrl-C to end it.": "三个节点的集群运行在 %s 之后。按 Ctrl-C 结束。",
	"To probe it yourself:": "自行探测：", "Scenarios, for --scenario:": "场景（用于 --scenario）：",
	"Status page: %s": "状态页：%s", "This link gives a browser write access to it:": "此链接允许浏览器在页面上操作：",
	"Demo, %s: %s.": "演示场景 %s：%s。", "Demo, fault %s: %s. %s": "演示故障 %s：%s。%s",
	"Demo: fault %s is removed. Its incident recovers, and resolves after a while without a relapse.":                       "演示：故障 %s 已撤除。其事件进入恢复观察，一段时间内不再出现即关闭。",
	"Open the cluster: the session map shows which node served whom, and \"What clients met\" how many lost their session.": "请打开集群页：会话分布图显示各会话由哪个节点响应，“客户端实际结果”显示多少会话丢失。",
	"Nodes answer when asked directly, or do not: the incident says which, and how many clients it affects.":                "直接访问节点是否有应答：事件会说明，并给出影响了多少客户端。",
	"One incident: the dependency is the cause, and the paused nodes are below it.":                                         "只有一个事件：依赖服务是原因，被暂停的节点列在其下。",
	"Clients notice nothing yet: the evidence of the finding has the nodes that differ.":                                    "客户端尚无感知：问题的证据中列出不一致的节点。",
	"See node2 in the table of nodes, and whether the balancer still sends it clients.":                                     "请看节点表中的 node2，以及负载均衡器是否仍向其转发客户端。",
	"the balancer refuses connections": "负载均衡器拒绝连接", "the balancer answers everything with 502": "负载均衡器对所有请求返回 502",
	"the balancer uses round robin, although sessions are not shared": "负载均衡器采用轮询，而会话并不共享", "the balancer has ejected node2, which is healthy": "负载均衡器摘除了正常的 node2",
	"one of the balancer's workers has ejected node2, the others have not": "负载均衡器的一个工作进程摘除了 node2，其余没有", "the balancer does not pass the WebSocket upgrade": "负载均衡器不转发 WebSocket 升级",
	"node2 refuses connections": "node2 拒绝连接", "every node refuses connections": "所有节点拒绝连接", "node2 takes requests and never answers": "node2 接收请求但从不应答",
	"node2 takes requests and closes the connection": "node2 接收请求后关闭连接", "node2 answers everything with 500, and the balancer does not mind": "node2 对所有请求返回 500，负载均衡器不予理会",
	"node2 answers something that is no HTTP": "node2 的应答不是 HTTP", "node2 answers with bodies that do not end": "node2 的应答没有结尾", "node2 redirects in circles": "node2 循环重定向",
	"node2 answers /app_a/ with 500": "node2 对 /app_a/ 返回 500", "node2 takes 3 s for every answer": "node2 每次应答需 3 s", "node2 restarts: a new process, its sessions gone": "node2 重启：新进程，会话全部丢失",
	"node1, the primary, restarts after the others": "主节点 node1 晚于其他节点重启", "node2 knows no session, and begins a new one for every request": "node2 不认识任何会话，每个请求都新建会话",
	"node2 shows an older state of its sessions": "node2 的会话数据是旧的", "every node keeps its sessions to itself, though they are meant to be shared": "各节点只保存自己的会话，而会话本应共享",
	"session cookies are set for a path that does not cover the page": "会话 Cookie 的路径不包含该页面", "no node knows an Engine.IO session, not even a fresh one": "没有节点认识 Engine.IO 会话，包括刚建立的",
	"Redis refuses connections, and every node pauses": "Redis 拒绝连接，所有节点暂停", "node2 pauses, for it cannot reach its database": "node2 无法访问数据库而暂停",
	"node2 calls itself node1": "node2 自称 node1", "node2 shows an unknown name": "node2 显示未知名称", "node2 runs another version": "node2 运行另一版本", "node2 runs with other settings": "node2 的配置不同",
	"node2's clock is 30 s ahead": "node2 的时钟快 30 s",
	"each node is stopped and started again, one after the other; its sessions live in its memory": "逐个停止并启动各节点；会话保存在节点内存中",
	"every node gets a version that knows no session; then it is rolled back":                      "所有节点换成不认识会话的版本，随后回滚",
	"a fourth node is added to the ip_hash upstream, which sends clients to other nodes":           "向 ip_hash 的 upstream 增加第四个节点，客户端被分配到其他节点",
	"the new version is started on every node, and it forgets every session: see what clients met": "所有节点启动新版本，会话全部丢失：请看客户端实际结果",
	"it is rolled back: the incident ends":                                                         "已回滚：事件结束", "node4 is added to the upstream: the hash changes, and clients land on nodes that do not know them": "upstream 增加 node4：哈希改变，客户端落到不认识它们的节点",
	"node4 is removed again, which costs sessions a second time": "node4 又被移除，会话再次丢失", "all is well: see the session map": "一切正常：请看会话分布图",
	"%s is stopped: its sessions are lost, and its clients move": "%s 已停止：其会话丢失，客户端转移", "%s is started": "%s 已启动",
}
