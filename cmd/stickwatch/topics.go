package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"stickwatch/checks"
)

// topics are the pages of `stickwatch help TOPIC`.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "findings", Short: "Every finding: when it holds, and what to do", Long: findingsTopic()},
		{Use: "decisions", Short: "How stickwatch decides: confidence, the oracle, explanations", Long: decisionsTopic},
	}
}

func findingsTopic() string {
	s := newSheet(renderOptions{})
	s.line("Findings, with their severity, when they hold and what to do:")
	for _, e := range checks.Catalogue {
		s.blank()
		s.line(fmt.Sprintf("%s (%s)", e.Code, e.Severity))
		s.paragraph("  ", "    ", span{plain, "holds when " + e.Holds})
		s.paragraph("  ", "    ", span{plain, "do: " + e.Remedy})
	}
	s.blank()
	s.line("A finding that another one causes is shown below its cause, and in JSON marked")
	s.line("explained_by. `probe --ignore CODE` makes none of that code.")
	return s.String()
}

const decisionsTopic = `How stickwatch decides

Sessions stick. A canary comes back on new connections with its cookies. If
nothing held it, it would meet its own node again by luck: with n equal nodes
m times in a row about once in n to the power of m. It comes back as often as
--confidence asks for: at 0.999 ten times with two nodes, seven with three.

A node is out of rotation. Under ip_hash and hash the balancer's arithmetic is
computed: a client that must land on the node and is answered by the next one
proves it. This needs client_ip_header, a request header from which the
balancer takes the client address of this prober. Under other methods new
clients must miss the node in two independent samples, each of the size that
excludes chance: 18 clients each with three nodes at 0.999.

Unknown is an answer. Where the evidence cannot be had, the verdict says
"inconclusive", or a blind_spot tells what would open it.

One cause. A finding that another one explains stays in the picture, below its
cause: Redis down explains three paused nodes.`
