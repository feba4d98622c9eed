package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// tryEvery is how long --wait waits between two pictures, unless told.
const tryEvery = 2 * time.Second

// takeSought takes those values of --node that are no ID=URL out of those that
// describe a cluster: `--wait 2m --node node2` waits for a node. Without any
// that describe, it is as if the flag had not been given.
func (o *probeOptions) takeSought(cmd *cobra.Command) {
	if !cmd.Flags().Changed("wait") {
		return
	}
	names := func(value string) bool { return !strings.ContainsAny(value, "=:/") && !nothing(value) }
	var described []string
	for _, value := range o.clusters.quick.Nodes {
		if names(value) {
			o.sought = append(o.sought, value)
		} else {
			described = append(described, value)
		}
	}
	o.clusters.quick.Nodes = described
	cmd.Flags().Lookup("node").Changed = len(described) > 0
}

// strangers tells which of the nodes that are named no cluster has.
func strangers(flag string, nodes []string, clusters []*probes.Cluster) error {
	var known []string
	for _, c := range clusters {
		for _, n := range c.Nodes {
			known = append(known, n.ID)
		}
	}
	var errs []error
	for _, node := range nodes {
		if !slices.Contains(known, node) && len(clusters) > 0 {
			errs = append(errs, fmt.Errorf("--%s: there is no node %q: there are %s", flag, node, strings.Join(known, ", ")))
		}
	}
	return errors.Join(errs...)
}

// goals are what --wait waits for.
func (o *probeOptions) goals() []gate.Goal {
	goal := gate.Goal{Version: o.expectVersion, FailOn: o.failOn.value}
	if len(o.sought) == 0 {
		return []gate.Goal{goal}
	}
	var list []gate.Goal
	for _, node := range o.sought {
		goal.Node = node
		list = append(list, goal)
	}
	return list
}

// lacks are what stands between pictures and the goals, each once.
func (o *probeOptions) lacks(clusters []*probes.Cluster, pictures []checks.Report) []gate.Lack {
	var list []gate.Lack
	for i, r := range pictures {
		for _, goal := range o.goals() {
			for _, lack := range goal.Missing(clusters[i], r) {
				if !slices.Contains(list, lack) {
					list = append(list, lack)
				}
			}
		}
	}
	return list
}

// awaited names what is waited for, in a log.
func (o *probeOptions) awaited() string {
	switch {
	case len(o.sought) > 0 && o.expectVersion != "":
		return "waiting for " + o.expectVersion + " on " + strings.Join(o.sought, ", ")
	case len(o.sought) > 0:
		return "waiting for " + strings.Join(o.sought, ", ")
	case o.expectVersion != "":
		return "waiting for version " + o.expectVersion
	default:
		return "waiting until healthy"
	}
}

// await takes pictures, at once and after every interval, until none lacks
// anything or the time of --wait is over, and tells meanwhile what is waited
// for. It returns what the last whole one lacks; the caller keeps the picture.
func (o *probeOptions) await(
	ctx context.Context, clusters []*probes.Cluster, line *statusLine, every time.Duration,
	picture func(context.Context) (pictures []checks.Report, whole bool),
) (lacks []gate.Lack) {
	end := time.Now().Add(o.wait.value)
	try := func() (done bool) {
		pictures, whole := picture(ctx)
		if !whole {
			return true
		}
		lacks = o.lacks(clusters, pictures)
		return len(lacks) == 0
	}
	retry(ctx, o.wait.value, every, try, func() {
		line.wait(o.awaited()+": "+reasons(lacks), time.Until(end))
	})
	return lacks
}

// waited is the last line of a wait: what it lacked in the end, or the nodes that
// get no clients though --fail-on accepts that; "": every node does.
func (o *probeOptions) waited(clusters []*probes.Cluster, pictures []checks.Report, lacks []gate.Lack) string {
	if len(lacks) > 0 {
		return fmt.Sprintf("waited %s in vain: %s", o.wait.value, reasons(lacks))
	}
	var out []string
	for i, r := range pictures {
		for _, node := range gate.OutOfRotation(clusters[i], r) {
			if len(pictures) > 1 {
				node = r.Cluster + " " + node
			}
			out = append(out, node)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "what --wait waits for is there; out of rotation: " + strings.Join(out, ", ")
}

func reasons(lacks []gate.Lack) string {
	var list []string
	for _, l := range lacks {
		list = append(list, l.Why)
	}
	return strings.Join(list, "; ")
}

// waitStatus is what a wait ends with: in vain, it is a failure, unless it may
// well be that all is there and nobody can tell.
func waitStatus(lacks []gate.Lack) int {
	switch {
	case len(lacks) == 0:
		return exitOK
	case slices.ContainsFunc(lacks, func(l gate.Lack) bool { return !l.Unknown }):
		return exitFinding
	default:
		return exitInconclusive
	}
}
