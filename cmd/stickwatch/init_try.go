package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"stickwatch/internal/importer"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
)

// tryArguments takes the addresses of nodes; without --try init takes flags only.
func (o *initOptions) tryArguments(cmd *cobra.Command, args []string) error {
	if !o.try {
		return noArguments(func(arg string) string { return "stickwatch init --" + string(productOf(arg)) + " " + arg })(cmd, args)
	}
	for _, arg := range args {
		address, err := url.Parse(arg)
		if err != nil || address.Host == "" {
			return fmt.Errorf("%q: expected the URL of a node, such as http://10.0.0.1:8080", arg)
		}
		o.clusters.quick.Nodes = append(o.clusters.quick.Nodes, address.Host+"="+arg)
	}
	return nil
}

// validateTry returns the errors in the flags of --try.
func (o *initOptions) validateTry(cmd *cobra.Command) error {
	errs := []error{o.language.usageError("language")}
	for _, flag := range []string{"offline", "output", "force", "profile"} {
		if cmd.Flags().Changed(flag) {
			errs = append(errs, fmt.Errorf("--%s cannot be combined with --try, which asks the nodes and writes no file", flag))
		}
	}
	named := o.named(cmd)
	switch {
	case len(named) == 0 && len(o.clusters.quick.Nodes) == 0:
		errs = append(errs, errors.New("--try needs the nodes: their URLs, or the balancer's file with --nginx and others"))
	case len(named) > 0 && len(o.clusters.quick.Nodes) > 0:
		errs = append(errs, fmt.Errorf("--try takes either URLs or --%s, whose file has the nodes", named[0]))
	}
	return errors.Join(errs...)
}

// runTry prints which profiles fit the nodes.
func (o *initOptions) runTry(cmd *cobra.Command, c console) error {
	if err := o.validateTry(cmd); err != nil {
		return err
	}
	if nodes := o.clusters.quick.Nodes; len(nodes) > 0 && len(o.clusters.quick.Balancer) == 0 {
		o.clusters.quick.Balancer = []string{"http://127.0.0.1"} // is not asked
	}
	found, err := o.readConfiguration(cmd, c)
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	line := newStatusLine(c)
	reader := o.language.reader(nil)
	line.log(reader.Translate("trying every profile"))
	tried := found.Try(ctx)
	line.clear()
	if cause, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
		return exitError{cause.status(), cause}
	}
	return printFits(c, tried, reader)
}

// printFits prints a line for each profile, those that fit first. The status is 0 if one
// fits, 1 if none does, and 3 if no node answered.
func printFits(c console, tried []importer.ClusterFit, reader phrase.Reader) error {
	status := exitInconclusive
	for _, cluster := range tried {
		if len(tried) > 1 {
			fmt.Fprintln(c.out, render.CleanSentence(cluster.Cluster)+":")
		}
		if !cluster.Failure.IsZero() {
			fmt.Fprintln(c.out, render.CleanSentence(reader.Translate("no node answers: %s", cluster.Failure)))
			continue
		}
		status = min(status, exitFinding)
		slices.SortStableFunc(cluster.Fits, func(a, b importer.Fit) int { return mark(a) - mark(b) })
		for _, f := range cluster.Fits {
			if f.Fits {
				status = exitOK
			}
			fmt.Fprintf(c.out, "%c %-22s  %s\n", []rune("✓–")[mark(f)], f.Profile, render.CleanSentence(f.Why.In(reader)))
		}
		if !cluster.Session.IsZero() {
			fmt.Fprintln(c.out, render.CleanSentence(reader.Translate("%s: init uses that page; a page of internal/docs/test-pages.md shows more", cluster.Session)))
		}
	}
	if status == exitOK {
		return nil
	}
	return exitError{status: status}
}

// mark returns 0 for a profile that fits, else 1.
func mark(f importer.Fit) int {
	if f.Fits {
		return 0
	}
	return 1
}
