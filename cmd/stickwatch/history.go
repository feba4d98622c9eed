package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/postmortem"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

// A historySource is the history that flags select, and clusters in it.
type historySource struct {
	config, file string
	clusters     []string
	now          time.Time
	configured   *config.Config // set by open; nil: there is none
}

// historyOptions are the flags of history.
type historyOptions struct {
	historySource
	since, until setting[time.Time]
	language     languageFlag
	output       setting[string]
}

// Flags of history.
var (
	historySourceSection = section{"Source", []string{"config", "file"}}
	historyFilterSection = section{"Filter", []string{"cluster", "since", "until"}}
	historyOutputSection = section{"Output", []string{"language", "output"}}
)

func newHistory(c console) *cobra.Command {
	now := time.Now()
	o := historyOptions{
		since: newSetting("", timeOrAge(now)), until: newSetting("", timeOrAge(now)),
		historySource: historySource{now: now},
		output:        newSetting(render.IncidentFormats[0], oneOf(render.IncidentFormats)),
		language:      newLanguageFlag(),
	}
	cmd := &cobra.Command{
		Use:   "history [flags] [INCIDENT]",
		Short: "Show past incidents, uptime and moved sessions",
		Long: `history reads the history of serve, which may be running. For each cluster
it prints the uptime of nodes, balancers, dependencies, canaries and sessions
(the share of requests that were served with their session), percentiles of the
latency of nodes and balancers, the incidents, the sessions that moved to
another node, and the deployments. What each site of a fleet has measured of a
cluster follows it, as CLUSTER@SITE. With the id of an incident it prints that
incident with its findings and timeline; -o markdown makes that the begin of a
post-mortem.

It sends no requests. Exit status:
  0  the history was printed
  1  the history cannot be read, or has no such incident
  2  wrong usage or configuration`,
		Example: `  stickwatch history
  stickwatch history --cluster shop --since 7d
  stickwatch history --since 2026-11-01 --until 2026-12-01 -o json
  # one of the listed incidents in detail
  stickwatch history 20261101T071003123-1a2b3c4d
  stickwatch history 20261101T071003123-1a2b3c4d -o markdown --language zh
  # of a daemon in another folder
  stickwatch history --file /var/lib/stickwatch/stickwatch.db
  # to another file or database (see: stickwatch history copy --help)
  stickwatch history copy stickwatch.db new.yml`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("%q: history shows one incident at a time, and got %q already", render.CleanName(args[1]), render.CleanName(args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd, args); err != nil {
				return err
			}
			return o.run(cmd.Context(), c, args)
		},
	}
	o.register(cmd)
	cmd.AddCommand(newHistoryCopy(c))
	return cmd
}

func (o *historyOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.registerSource(cmd)
	flags.Var(&o.since, "since", "start of the period, a `TIME` or an age such as 24h or 7d (default: 24h)")
	flags.Var(&o.until, "until", "end of the period, a `TIME` or an age (default: now)")
	o.language.register(cmd)
	flags.VarP(&o.output, "output", "o", "a `FORMAT`: "+strings.Join(render.ListFormats, ", ")+"; of one incident also markdown")
	completeFlag(cmd, "output", render.IncidentFormats...)
	explain(cmd, historySourceSection, historyFilterSection, historyOutputSection)
}

func (h *historySource) registerSource(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&h.config, "config", "c", defaultFile, "configuration `FILE` of the daemon, which names the history")
	flags.StringVar(&h.file, "file", "", "`FILE` of the history, or postgres:// URL, without a configuration")
	flags.StringArrayVar(&h.clusters, "cluster", nil, "only the cluster of this `NAME`; repeatable")
	completeFlagNames(cmd, "cluster", namesOfClusters)
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	_ = cmd.MarkFlagFilename("file", "db")
}

// validate returns all errors in the flags.
func (o *historyOptions) validate(cmd *cobra.Command, args []string) error {
	errs := []error{
		o.since.usageError("since"), o.until.usageError("until"), o.language.usageError("language"), o.output.usageError("output"), o.validateSource(cmd),
	}
	if markdown := o.output.value == "markdown"; markdown && len(args) == 0 {
		errs = append(errs, errors.New("--output markdown needs the id of an incident"))
	} else if o.output.value == "json" && cmd.Flags().Changed("language") {
		errs = append(errs, errors.New("--language: json is for programs and has no language"))
	}
	if of := changed(cmd, historyFilterSection); len(args) > 0 && len(of) > 0 {
		errs = append(errs, fmt.Errorf("--%s cannot be combined with the incident %q", of[0], render.CleanName(args[0])))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if span := o.span(); !span.From.Before(span.To) {
		return fmt.Errorf("--since must be before --until: got %s and %s", span.From.Format(time.RFC3339), span.To.Format(time.RFC3339))
	}
	return nil
}

// validateSource returns the errors in the flags that select a history and its clusters.
func (h *historySource) validateSource(cmd *cobra.Command) error {
	var errs []error
	if cmd.Flags().Changed("file") && isEmptyValue(h.file) {
		errs = append(errs, emptyFlag("file"))
	}
	if len(changed(cmd, historySourceSection)) > 1 {
		errs = append(errs, errors.New("--config and --file exclude each other"))
	}
	if slices.ContainsFunc(h.clusters, isEmptyValue) {
		errs = append(errs, emptyFlag("cluster"))
	}
	return errors.Join(errs...)
}

// span returns the time between --since and --until.
func (o *historyOptions) span() checks.Span {
	span := checks.Span{From: o.since.value, To: o.until.value}
	if o.until.text == "" {
		span.To = o.now
	}
	if o.since.text == "" {
		span.From = span.To.Add(-24 * time.Hour)
	}
	return span
}

func (o *historyOptions) run(ctx context.Context, c console, args []string) error {
	reader, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	if len(args) > 0 {
		return o.showIncident(ctx, c, reader, args[0])
	}
	names, err := o.choose(ctx, reader)
	if err != nil {
		return err
	}
	clusterHistories := make([]render.ClusterHistory, 0, len(names))
	for _, cluster := range names {
		h, err := readClusterHistory(ctx, reader, cluster, o.span())
		if err != nil {
			return exitError{exitFinding, err}
		}
		clusterHistories = append(clusterHistories, h)
	}
	return render.History(c.out, o.output.value, clusterHistories, o.span(), o.now, o.options(c))
}

// options returns the options of the renderers.
func (o *historyOptions) options(c console) render.Options {
	opts := terminalOptions(c.out, c.environ)
	opts.Reader = o.language.reader(o.configured)
	return opts
}

// open opens the history that the flags name.
func (h *historySource) open(ctx context.Context) (*history.Reader, error) {
	path, daemon := h.file, "stickwatch serve"
	if path == "" {
		cfg, err := loadFile(h.config, "name one with -c FILE, or the history itself with --file FILE")
		if err != nil {
			return nil, withRemedy(err, "the configuration names the history; --file FILE needs no configuration")
		}
		path = cfg.History.Location()
		h.configured = cfg
		if h.config != defaultFile {
			daemon += " -c " + h.config
		}
	}
	if !history.IsDatabase(path) {
		if err := readable(path, daemon); err != nil {
			return nil, exitError{exitFinding, err}
		}
	}
	reader, err := history.OpenReader(ctx, path)
	if err != nil {
		return nil, exitError{exitFinding, err}
	}
	return reader, nil
}

// readable returns an error with a remedy for a history that is missing or not readable.
// SQLite reports both as "unable to open database file".
func readable(path, daemon string) error {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no history %q: `%s` creates it; if the daemon runs in another folder, name the file with --file FILE", path, daemon)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("only the user who runs `%[2]s` may read the history %[1]q: run this as that user, or use the status page or the API", path, daemon)
	case err != nil:
		return fmt.Errorf("opening the history: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%q is a directory: name the file in it with --file FILE", path)
	}
	return nil
}

// choose returns the clusters of the history that --cluster names; all without it.
func (h *historySource) choose(ctx context.Context, r *history.Reader) ([]string, error) {
	all, err := r.Clusters(ctx)
	if err != nil {
		return nil, exitError{exitFinding, err}
	}
	if len(h.clusters) == 0 {
		return all, nil
	}
	var chosen []string
	var errs []error
	for _, wanted := range h.clusters {
		found := false
		for _, name := range all {
			if name != wanted && !h.isView(name, wanted) {
				continue
			}
			found = true
			if !slices.Contains(chosen, name) {
				chosen = append(chosen, name)
			}
		}
		if !found {
			errs = append(errs, fmt.Errorf("--cluster: %q is not in the history: it has %s", render.CleanName(wanted), render.CleanNames(all)))
		}
	}
	return chosen, errors.Join(errs...)
}

// isView reports whether a name is that of a site's view of a cluster, whose measurements the history has
// there. Another cluster may be named like a view.
func (h *historySource) isView(name, cluster string) bool {
	isOwn := h.configured != nil && slices.ContainsFunc(h.configured.Clusters, func(c *probes.Cluster) bool { return c.Name == name })
	return strings.HasPrefix(name, probes.ViewName(cluster, "")) && !isOwn
}

func readClusterHistory(ctx context.Context, r *history.Reader, cluster string, span checks.Span) (render.ClusterHistory, error) {
	h := render.ClusterHistory{Cluster: cluster}
	var err error
	if h.Uptimes, err = r.Uptimes(ctx, cluster, span); err != nil {
		return h, err
	}
	if h.Latencies, err = r.Latencies(ctx, cluster, span); err != nil {
		return h, err
	}
	if h.Incidents, err = r.Incidents(ctx, alerting.IncidentQuery{Cluster: cluster, Span: span}); err != nil {
		return h, err
	}
	if h.Moves, err = r.Moves(ctx, cluster, span, 0); err != nil {
		return h, err
	}
	h.Deployments, err = r.Deployments(ctx, cluster, span)
	return h, err
}

// showIncident prints one incident.
func (o *historyOptions) showIncident(ctx context.Context, c console, r *history.Reader, id string) error {
	found, err := r.Incidents(ctx, alerting.IncidentQuery{ID: id})
	switch {
	case err != nil:
		return exitError{exitFinding, err}
	case len(found) == 0:
		return exitError{exitFinding, fmt.Errorf("there is no incident %q in the history (see: stickwatch history --since 30d)", render.CleanName(id))}
	}
	deployments, err := r.Deployments(ctx, found[0].Cluster, checks.Span{To: o.now})
	if err != nil {
		return exitError{exitFinding, err}
	}
	reader := o.language.reader(o.configured)
	d := postmortem.Document{
		Incident: found[0], Deployments: deployments, Language: alerting.Language(reader.Language), Zone: reader.Zone, Now: o.now,
	}
	return render.Incident(c.out, o.output.value, d, o.options(c))
}
