package checks_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// shake adds a client's handshake that reached a stage; "": it is complete.
func (r *round) shake(stage, expected string) {
	h := probes.HandshakeObservation{
		URL: lbURL, Balancer: lb, TargetNode: expected, Stage: stage, Offered: true,
		Opened: stage != "open", Known: stage == "" || stage == "upgrade", Upgraded: stage == "",
	}
	if stage != "" {
		h.Status, h.Error = 400, "Session ID unknown"
	}
	r.Handshakes = append(r.Handshakes, h)
}

func shaken(stage, expected string, base func() *round) func() *round {
	return from(base, func(r *round) {
		r.shake("", "")
		r.shake(stage, expected)
	})
}

// shakeTimesOut adds handshakes that ran out of time, at a node and through the
// balancer to it.
func (r *round) shakeTimesOut(node string) {
	for _, at := range []string{node, ""} {
		r.shake("poll", node)
		h := &r.Handshakes[len(r.Handshakes)-1]
		h.Node, h.TimedOut, h.Status, h.Error = at, true, 0, "no answer within 5s (poll)"
	}
}

var handshakeSpecs = []spec{
	{
		name: "broken: a fresh sid is unknown", round: shaken("poll", "", healthy),
		want: []string{"critical handshake_broken"},
	},
	{
		name: "broken: it does not open", round: shaken("open", "", healthy),
		want: []string{"critical handshake_broken"},
	},
	{
		name: "broken: because sessions drift", round: shaken("poll", "", scattered),
		want: []string{"critical session_drift [node1 node2 node3]", "critical handshake_broken <- session_drift"},
	},
	{
		name: "broken: on a paused node",
		round: shaken("open", "node2", changed(func(r *round) {
			r.say(probes.StatusReport{State: "paused"}, "node2")
		})),
		want: []string{"critical node_paused/node2", "critical handshake_broken [node2] <- node_paused/node2"},
	},
	{
		name: "broken: on another node than the paused one",
		round: shaken("open", "node1", changed(func(r *round) {
			r.say(probes.StatusReport{State: "paused"}, "node2")
		})),
		want: []string{"critical node_paused/node2", "critical handshake_broken [node1]"},
	},
	{
		name:  "broken: with the balancer",
		round: from(func() *round { return silent(refused(testPage)) }, func(r *round) { r.shake("open", "") }),
		want: []string{
			"critical balancer_down/http://shop.example (192.0.2.10:80)",
			"critical handshake_broken <- balancer_down/http://shop.example (192.0.2.10:80)",
		},
	},
	{
		name: "broken: at a node itself, and so through the balancer",
		round: from(shaken("open", "", healthy), func(r *round) {
			r.shake("open", "")
			r.Handshakes[2].Node = "node2"
		}),
		want: []string{"critical handshake_broken/node2", "critical handshake_broken <- handshake_broken/node2"},
	},
	{
		name: "broken: at a node itself, which the balancer has no part in",
		round: from(func() *round { return silent(refused(testPage)) }, func(r *round) {
			r.shake("open", "")
			r.Handshakes[0].Node = "node2"
		}),
		want: []string{"critical balancer_down/http://shop.example (192.0.2.10:80)", "critical handshake_broken/node2"},
	},
	{
		name: "not broken at a node itself: it is known to be down",
		round: changed(func(r *round) {
			r.down("node2")
			r.shake("open", "")
			r.Handshakes[0].Node = "node2"
		}),
		want: []string{"warning node_down/node2"},
	},
	{
		name: "not broken at a node itself, nor through the balancer: the node is slow, and the time was up",
		round: changed(func(r *round) {
			took(&r.Nodes[1].Primary, 3*time.Second)
			r.shakeTimesOut("node2")
		}),
		want: []string{"warning slow/node2"},
	},
	{
		name:  "broken: the time was up, and the other pages of the node are quick",
		round: changed(func(r *round) { r.shakeTimesOut("node2") }),
		want:  []string{"critical handshake_broken/node2", "critical handshake_broken [node2] <- handshake_broken/node2"},
	},
	{
		name: "broken at a node itself only: another one is slow, and the balancer may have chosen that",
		round: changed(func(r *round) {
			took(&r.Nodes[0].Primary, 3*time.Second)
			r.shakeTimesOut("node2")
		}),
		want: []string{"critical handshake_broken/node2", "warning slow/node1"},
	},
	{
		name: "not broken at a node itself, nor through the balancer: the node was slow until this round",
		round: changed(func(r *round) {
			r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": {LastReady: began, UnreadySince: began}}}
			r.shakeTimesOut("node2")
		}),
	},
	{
		name: "upgrade refused", round: shaken("upgrade", "", healthy),
		want: []string{"warning upgrade_refused"},
	},
	{
		name:  "no upgrade refused: none is offered",
		round: from(shaken("upgrade", "", healthy), func(r *round) { r.Handshakes[1].Offered = false }),
	},
	{name: "neither: all the way", round: shaken("", "", healthy)},
	{
		name:  "neither: the round was cut short",
		round: shaken("open", "", changed(func(r *round) { r.direct("node3", cancelled(testPage)) })),
	},
}

// TestHandshakesBreakAgain tests that handshakes which break, succeed and soon break again are one harm.
func TestHandshakesBreakAgain(t *testing.T) {
	l := checks.NewLedger(checks.Damping{Appear: 2, Vanish: 2, MinHarm: 6 * time.Second})
	for i, stage := range []string{"poll", "", "poll"} {
		r := shaken(stage, "", healthy)()
		r.Started = began.Add(time.Duration(i) * 4 * time.Second)
		for n := range r.Handshakes {
			r.Handshakes[n].Ended = r.Started
		}
		if got, want := len(l.Update(checks.Judge(r.Round))), i/2; got != want {
			t.Errorf("round %d: got %d changes, want %d", i, got, want)
		}
	}
}

// TestHandshakesOfSignalR checks that sentences name the protocol, and Engine.IO without a kind.
func TestHandshakesOfSignalR(t *testing.T) {
	for kind, want := range map[probes.HandshakeKind]string{probes.HandshakeSignalR: "the SignalR handshake breaks: 1 of 2", probes.HandshakeEngineIO: "the Engine.IO handshake breaks: 1 of 2"} {
		r := shaken("poll", "", healthy)()
		cluster := *r.Cluster
		cluster.Handshake = &probes.Handshake{Path: "/hub", Kind: kind}
		r.Cluster = &cluster
		found := checks.Judge(r.Round).Findings
		if len(found) != 1 || !strings.HasPrefix(found[0].Summary.String(), want) {
			t.Errorf("%s: got %+v, want one that begins with %q", kind, found, want)
		}
	}
}

// TestHandshakeEvidence: evidence of a handshake has its HTTP status once, and what the node answered in every language.
func TestHandshakeEvidence(t *testing.T) {
	for _, test := range []struct {
		status      int
		reason      string
		en, chinese string
	}{
		{
			400, `the node that received this request does not know the new session: HTTP status 400, "Session ID unknown"`,
			`stage poll: the node that received this request does not know the new session: HTTP status 400, "Session ID unknown"`,
			`阶段 poll：收到该请求的节点不认识新会话：HTTP 400，"Session ID unknown"`,
		},
		{
			400, `the upgrade to WebSocket was refused: got HTTP status 400, "Bad request", want status 101`,
			`stage poll: the upgrade to WebSocket was refused: got HTTP status 400, "Bad request", want status 101`,
			`阶段 poll：WebSocket 升级被拒绝：HTTP 400，"Bad request"，应为 101`,
		},
		{
			502, "the poll was refused: got HTTP status 502, 17 bytes of other content",
			"stage poll: the poll was refused: got HTTP status 502, 17 bytes of other content",
			"阶段 poll：轮询被拒绝：HTTP 502，17 字节的其他内容",
		},
		{
			302, "no session: got HTTP status 302, 0 bytes of other content",
			"stage poll: no session: got HTTP status 302, 0 bytes of other content",
			"阶段 poll：没有会话：HTTP 302，0 字节的其他内容",
		},
		{
			426, "the upgrade to WebSocket was refused: got HTTP status 426, want 101",
			"stage poll: the upgrade to WebSocket was refused: got HTTP status 426, want 101", "阶段 poll：WebSocket 升级被拒绝：HTTP 426，应为 101",
		},
		{
			404, "the node that received this request does not know the new connection",
			"stage poll: HTTP 404, the node that received this request does not know the new connection",
			"阶段 poll：HTTP 404，收到该请求的节点不认识新连接",
		},
		{
			200, `no Engine.IO: got "Forbidden", want an open packet`,
			`stage poll: HTTP 200, no Engine.IO: got "Forbidden", want an open packet`, `阶段 poll：HTTP 200，不是 Engine.IO：得到 "Forbidden"，应为 open 包`,
		},
	} {
		m := checks.Message{ID: checks.MsgHandshakeGot, Args: checks.Args{Node: "node1", Name: "poll", Status: test.status, Reason: test.reason}}
		for language, want := range map[checks.Language]string{checks.English: test.en, checks.Chinese: test.chinese} {
			if got := m.In(language); !strings.HasSuffix(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

// TestHandshakeDuringRestart tests that a handshake that breaks at a node that has just been restarted is a
// consequence of that.
func TestHandshakeDuringRestart(t *testing.T) {
	t.Parallel()
	for ago, want := range map[time.Duration]string{
		4 * time.Second:  "critical handshake_broken [node2] <- node_restarted/node2",
		60 * time.Second: "critical handshake_broken [node2]",
	} {
		r := shaken("open", "node2", healthy)()
		back := began.Add(-ago).Add(2 * time.Second)
		r.Past = &checks.Timelines{Nodes: map[string]checks.NodeTimeline{"node2": {
			LastReady: began.Add(-time.Second), Restarted: back, LastSign: new(checks.Quote("another process answers")),
			Disruptions: []checks.Disruption{{Kind: checks.DisruptionRestart, Span: checks.Span{From: began.Add(-ago), To: back}, Gone: back}},
		}}}
		if got := lines(checks.Judge(r.Round)); !slices.Contains(got, want) {
			t.Errorf("restarted %v ago: got %q, want %s", ago, got, want)
		}
	}
}
