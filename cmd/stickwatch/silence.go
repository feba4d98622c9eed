package main

import (
	"github.com/spf13/cobra"
)

func newSilence(c console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silence COMMAND",
		Short: "Tell nobody of what is expected: a maintenance window",
		Long: `silence asks a running daemon to tell nobody of some findings for a while: those
of a cluster, a node or a code, or what they have in common. They are still
watched, recorded and shown; an incident that outlives its silence is told then,
and who knows of an incident is told of its end.

Windows that come again every week are written in the configuration, under
maintenance.`,
		Example: `  stickwatch silence add --cluster shop --node node2 --for 20m \
      --reason "deploy 4.2"
  stickwatch silence list
  stickwatch silence expire ca3kq7d2m4xy`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown("command", args[0], commandNames(cmd), "stickwatch silence --help")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	explain(cmd)
	cmd.AddGroup(&cobra.Group{ID: groupInspect, Title: "Commands"})
	for _, sub := range []*cobra.Command{newSilenceAdd(c), newSilenceList(c), newSilenceExpire(c)} {
		sub.GroupID = groupInspect
		sub.DisableFlagsInUseLine = true
		cmd.AddCommand(sub)
	}
	return cmd
}

// silencesPath is where the API has silences.
const silencesPath = "/api/v1/silences"

// An silenceRequest is what the API takes.
type silenceRequest struct {
	Cluster  string `json:"cluster"`
	Node     string `json:"node"`
	Code     string `json:"code"`
	All      bool   `json:"all,omitempty"` // everything, instead of these
	Reason   string `json:"reason"`
	Author   string `json:"author"`
	From     string `json:"from"`     // RFC 3339; "": now
	To       string `json:"to"`       // RFC 3339; or
	Duration string `json:"duration"` // from From
}
