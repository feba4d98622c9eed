package lab

import (
	"context"
	"fmt"
	"time"
)

// redisDown and postgresDown are a single cause each, however many nodes are affected.
const (
	redisDown    = "dependency_down/Redis Server"
	postgresDown = "dependency_down/DB Service"
)

// A collaborationFault is a fault of system B with the expected report.
type collaborationFault struct {
	name        string
	act, repair func(*collaboration)
	want        []string // the verdict, then the findings
}

var collaborationFaults = []collaborationFault{
	{
		name: "Redis is down",
		act:  func(s *collaboration) { s.redis.Stop() }, repair: func(s *collaboration) { s.redis.Start() },
		want: []string{
			"failing", redisDown,
			"node_paused/collab1 < " + redisDown, "node_paused/collab2 < " + redisDown, "node_paused/collab3 < " + redisDown,
		},
	},
	{
		name: "PostgreSQL is down",
		act:  func(s *collaboration) { s.postgres.Stop() }, repair: func(s *collaboration) { s.postgres.Start() },
		want: []string{
			"failing", postgresDown,
			"node_paused/collab1 < " + postgresDown, "node_paused/collab2 < " + postgresDown, "node_paused/collab3 < " + postgresDown,
		},
	},
	{
		name:   "both are down",
		act:    func(s *collaboration) { s.redis.Stop(); s.postgres.Stop() },
		repair: func(s *collaboration) { s.redis.Start(); s.postgres.Start() },
		want: []string{
			"failing", postgresDown, redisDown,
			"node_paused/collab1 < " + redisDown, "node_paused/collab2 < " + redisDown, "node_paused/collab3 < " + redisDown,
		},
	},
	{
		name: "Redis hangs",
		act:  func(s *collaboration) { s.redis.Suspend() }, repair: func(s *collaboration) { s.redis.Resume() },
		want: []string{
			"failing", redisDown,
			"node_paused/collab1 < " + redisDown, "node_paused/collab2 < " + redisDown, "node_paused/collab3 < " + redisDown,
			"slow/collab1 < " + redisDown, "slow/collab2 < " + redisDown, "slow/collab3 < " + redisDown,
			"slow/balancer < slow/collab1",
		},
	},
	{
		name: "one server is down",
		act:  func(s *collaboration) { s.nodes[1].Stop() }, repair: func(s *collaboration) { s.nodes[1].Start() },
		want: []string{"degraded", "node_down/collab2"},
	},
	{
		name: "one server cannot reach Redis",
		act: func(s *collaboration) {
			nowhere := "redis://:" + Password + "@" + FreeAddr(s.tb)
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.RedisServerURL = nowhere })
		},
		repair: func(s *collaboration) {
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.RedisServerURL = s.redis.URL() })
		},
		want: []string{
			"failing", redisDown,
			"dependency_disputed/Redis Server < " + redisDown, "node_paused/collab2 < " + redisDown,
		},
	},
	{
		name: "one server says so with HTTP 503",
		act: func(s *collaboration) {
			nowhere := "redis://:" + Password + "@" + FreeAddr(s.tb)
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.RedisServerURL, c.PausedCode = nowhere, 503 })
		},
		repair: func(s *collaboration) {
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.RedisServerURL, c.PausedCode = s.redis.URL(), 0 })
		},
		want: []string{
			"failing", redisDown,
			"dependency_disputed/Redis Server < " + redisDown, "node_paused/collab2 < " + redisDown,
		},
	},
	{
		name: "one server does not scale",
		act: func(s *collaboration) {
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.Scaling = "none" })
		},
		repair: func(s *collaboration) {
			s.nodes[1].Restart(func(c *CollaborationConfig) { c.Scaling = "horizontal" })
		},
		want: []string{"degraded", "settings_skew/scaling"},
	},
	{
		name: "one server has another version",
		act: func(s *collaboration) {
			s.nodes[2].Restart(func(c *CollaborationConfig) { c.Version = "11.3.0" })
		},
		repair: func(s *collaboration) {
			s.nodes[2].Restart(func(c *CollaborationConfig) { c.Version = "11.0.0.720" })
		},
		want: []string{"degraded", "version_skew"},
	},
	{
		name:   "the primary started last",
		act:    func(s *collaboration) { s.restartLater(0) },
		repair: func(s *collaboration) { s.restartLater(1); s.restartLater(2) },
		want:   []string{"degraded", "start_order/collab1"},
	},
}

// restartLater restarts a server in a second in which no other has started, because
// up_since has a resolution of a second.
func (s *collaboration) restartLater(i int) {
	s.tb.Helper()
	next := time.Now().Truncate(time.Second).Add(time.Second)
	err := poll(s.tb.Context(), nil, func(context.Context) error {
		if time.Now().Before(next) {
			return fmt.Errorf("it is not %v yet", next)
		}
		return nil
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.nodes[i].Restart(func(*CollaborationConfig) {})
}
