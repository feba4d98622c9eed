package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/render"
	"stickwatch/internal/wire"
)

func newSilence(c console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silence COMMAND",
		Short: "Silence expected findings, for example during maintenance",
		Long: `silence holds back notifications of a running daemon for a time: those about a
cluster, a node or a code, or a combination of them. Findings are still
monitored, recorded and shown. If an incident outlasts its silence, receivers
are notified then. The end of an incident that was notified is always notified.

Weekly maintenance windows belong in the configuration, under maintenance.`,
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

// silencesPath is the path of silences in the API.
const silencesPath = "/api/v1/silences"

// silenceOptions are the flags of silence add.
type silenceOptions struct {
	daemon              daemonFlags
	cluster, node, code string
	all                 bool
	length              setting[time.Duration]
	from, until         setting[time.Time]
	reason, author      string
	language            languageFlag
}

// Flags of silence add.
var (
	silenceScopeSection  = section{"What to silence", []string{"cluster", "node", "code", "all"}}
	silenceTimeSection   = section{"When", []string{"for", "until", "from"}}
	silenceReasonSection = section{"Why", []string{"reason", "author"}}
)

func newSilenceAdd(c console) *cobra.Command {
	options := silenceOptions{language: newLanguageFlag(), length: newSetting("", days), from: newSetting("", parseTime), until: newSetting("", parseTime)}
	cmd := &cobra.Command{
		Use:   "add [flags]",
		Short: "Silence a cluster, a node or a code for a while",
		Long: `add starts a silence, or plans one with --from, and prints its id. A finding
must match all of the given --cluster, --node and --code. A silence of a node
does not match findings about several nodes.

Exit status:
  0  the silence was added
  1  the daemon refused it, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch silence add --cluster shop --node node2 --for 20m \
      --reason "deploy 4.2"
  # planned, in local time
  stickwatch silence add --cluster shop --from "2026-11-01 22:00" --for 2h
  # around a deployment, in a script
  id=$(stickwatch silence add --cluster shop --for 1h) &&
      ./deploy && stickwatch silence expire "$id"
  # a remote daemon with users
  stickwatch silence add --code slow --for 7d \
      --server https://watch.example --username ops --password-file ops.password`,
		Args: noArguments(func(arg string) string { return "stickwatch silence add --cluster " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd, c) },
	}
	flags := cmd.Flags()
	flags.StringVar(&options.cluster, "cluster", "", "findings of the cluster of this `NAME`")
	flags.StringVar(&options.node, "node", "", "findings about this `NODE` only")
	flags.StringVar(&options.code, "code", "", "findings of this `CODE` (see: stickwatch help findings)")
	flags.BoolVar(&options.all, "all", false, "all findings")
	flags.Var(&options.length, "for", "`DURATION`, such as 20m, 2h or 7d; at most 90 days")
	flags.Var(&options.until, "until", "end, a `TIME`, instead of --for")
	flags.Var(&options.from, "from", "start, a `TIME` (default: now)")
	flags.StringVar(&options.reason, "reason", "", "`TEXT` for other operators")
	flags.StringVar(&options.author, "author", "", "`NAME` of the author (default: the authenticated user, else $USER)")
	completeFlagNames(cmd, "cluster", namesOfClusters)
	completeFlagNames(cmd, "node", namesOfNodes)
	completeFlag(cmd, "code", codes()...)
	options.language.register(cmd)
	options.daemon.register(cmd)
	explain(cmd, silenceScopeSection, silenceTimeSection, silenceReasonSection, languageSection, daemonSection)
	return cmd
}

func (o *silenceOptions) run(cmd *cobra.Command, c console) error {
	if err := o.validate(cmd); err != nil {
		return err
	}
	client, err := o.daemon.client(cmd)
	if err != nil {
		return err
	}
	var added wire.Silence
	if err := client.call(cmd.Context(), http.MethodPost, silencesPath, o.request(c, client.username), &added); err != nil {
		return exitError{exitFinding, err}
	}
	if _, err := fmt.Fprintln(c.out, render.CleanName(added.ID)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.err, render.Silenced(added, time.Now(), o.language.reader(o.daemon.configured)))
	return err
}

// request returns the silence to add. A daemon that knows the user takes the user as
// the author.
func (o *silenceOptions) request(c console, username string) wire.SilenceRequest {
	request := wire.SilenceRequest{
		Cluster: o.cluster, Node: o.node, Code: checks.Code(o.code), All: o.all, Reason: o.reason, Author: o.author,
		From: string(wire.TimestampOf(o.from.value)), To: string(wire.TimestampOf(o.until.value)),
	}
	if request.Author == "" && username == "" {
		request.Author = variable(c.environ, "USER")
	}
	if o.length.value > 0 {
		request.Duration = o.length.value.String()
	}
	return request
}

// variable returns the value of an environment variable; "" if it is not set.
func variable(environ []string, name string) string {
	for _, pair := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// validate returns all errors in the flags.
func (o *silenceOptions) validate(cmd *cobra.Command) error {
	errs := []error{o.length.usageError("for"), o.until.usageError("until"), o.from.usageError("from"), o.language.usageError("language")}
	for _, flag := range []struct{ name, value string }{
		{"cluster", o.cluster}, {"node", o.node}, {"code", o.code}, {"reason", o.reason}, {"author", o.author},
	} {
		if cmd.Flags().Changed(flag.name) && isEmptyValue(flag.value) {
			errs = append(errs, emptyFlag(flag.name))
		}
	}
	if o.code != "" && !checks.Known(checks.Code(o.code)) {
		errs = append(errs, fmt.Errorf("--code: %w", unknown("finding", o.code, codes(), "stickwatch help findings")))
	}
	chosen := len(changed(cmd, section{names: []string{"cluster", "node", "code"}})) > 0
	switch {
	case o.all && chosen:
		errs = append(errs, errors.New("--all excludes --cluster, --node and --code"))
	case !o.all && !chosen:
		errs = append(errs, errors.New("there is nothing to silence: give --cluster, --node or --code, or --all"))
	}
	switch {
	case o.length.text != "" && o.until.text != "":
		errs = append(errs, errors.New("--for and --until exclude each other"))
	case cmp.Or(o.length.text, o.until.text) == "":
		errs = append(errs, errors.New("there is no end: give --for DURATION or --until TIME"))
	}
	return errors.Join(append(errs, o.daemon.server.validate(cmd))...)
}

func newSilenceList(c console) *cobra.Command {
	var daemon daemonFlags
	language := newLanguageFlag()
	output := newSetting(render.ListFormats[0], oneOf(render.ListFormats))
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "List active and planned silences",
		Long: `list prints the active and planned silences. Maintenance windows of the
configuration and announced deployments are not listed.

Exit status:
  0  the silences were listed
  1  the daemon refused, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch silence list
  # end all of them
  stickwatch silence list -o json | jq -r '.silences[].id' |
      xargs stickwatch silence expire`,
		Args: noArguments(nil),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(output.usageError("output"), language.usageError("language"), daemon.server.validate(cmd)); err != nil {
				return err
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			opts := terminalOptions(c.out, c.environ)
			opts.Reader = language.reader(daemon.configured)
			return listSilences(cmd.Context(), c, client, output.value, opts)
		},
	}
	cmd.Flags().VarP(&output, "output", "o", "a `FORMAT`: "+strings.Join(render.ListFormats, ", "))
	completeFlag(cmd, "output", render.ListFormats...)
	language.register(cmd)
	daemon.register(cmd)
	explain(cmd, section{"Output", []string{"language", "output"}}, daemonSection)
	return cmd
}

func listSilences(ctx context.Context, c console, client *apiClient, format string, opts render.Options) error {
	var found struct {
		Silences []wire.Silence `json:"silences"`
	}
	if err := client.call(ctx, http.MethodGet, silencesPath, nil, &found); err != nil {
		return exitError{exitFinding, err}
	}
	return render.Silences(c.out, format, found.Silences, time.Now(), opts)
}

func newSilenceExpire(c console) *cobra.Command {
	var daemon daemonFlags
	cmd := &cobra.Command{
		Use:   "expire [flags] ID...",
		Short: "End silences now",
		Long: `expire ends silences early. Receivers are then notified of incidents that are
still open. It prints the ids of the ended silences, a line each.

Exit status:
  0  all silences have ended
  1  a silence does not exist, or the daemon refused or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch silence expire ca3kq7d2m4xy`,
		Args:    silenceIDs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := daemon.server.validate(cmd); err != nil {
				return err
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			return expireSilences(cmd.Context(), c, client, ids)
		},
	}
	daemon.register(cmd)
	explain(cmd, daemonSection)
	return cmd
}

// silenceID matches the ids of silences. Any other text could address another path of
// the API.
var silenceID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// silenceIDs demands at least one argument, each a valid id.
func silenceIDs(_ *cobra.Command, ids []string) error {
	if len(ids) == 0 {
		return errors.New("the id of a silence is missing (see: stickwatch silence list)")
	}
	var errs []error
	for _, id := range ids {
		if !silenceID.MatchString(id) {
			errs = append(errs, fmt.Errorf("%q is not the id of a silence (see: stickwatch silence list)", render.CleanName(id)))
		}
	}
	return errors.Join(errs...)
}

// expireSilences ends silences. An error of one does not stop the others.
func expireSilences(ctx context.Context, c console, client *apiClient, ids []string) error {
	var errs []error
	for _, id := range ids {
		err := client.call(ctx, http.MethodDelete, silencesPath+"/"+id, nil, nil)
		if refused, ok := errors.AsType[apiError](err); ok && refused.status == http.StatusNotFound {
			err = fmt.Errorf("there is no silence %q (see: stickwatch silence list)", id)
		} else if err != nil && !ok { // the daemon is unreachable for the others, too
			return exitError{exitFinding, errors.Join(append(errs, err)...)}
		}
		if err == nil {
			_, err = fmt.Fprintln(c.out, id)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return exitError{exitFinding, err}
	}
	return nil
}
