package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/monthly"
	"stickwatch/internal/render"
)

// reportOptions are the flags of report.
type reportOptions struct {
	historySource
	month    string
	target   setting[float64]
	language languageFlag
	output   setting[string]
}

func newReport(c console) *cobra.Command {
	o := reportOptions{
		historySource: historySource{now: time.Now()},
		target:        newSetting(monthly.DefaultTarget, monthly.ParseTarget),
		language:      newLanguageFlag(),
		output:        newSetting(render.MonthFormats[0], oneOf(render.MonthFormats)),
	}
	cmd := &cobra.Command{
		Use:   "report [flags]",
		Short: "Print the availability report of a month",
		Long: `report reads the history of serve, which may be running, and prints the
sheet of a month: for each cluster the availability of sessions against a
target, of balancers, nodes and dependencies, the incidents that people were
notified of, and the deployments with the sessions that they cost.

The month begins and ends in the time zone alerting.timezone, UTC by default.
The daemon serves the same report at /report and /api/v1/report.

Exit status:
  0  the report was printed
  1  the history cannot be read
  2  wrong usage or configuration`,
		Example: `  # of the last month
  stickwatch report
  stickwatch report --month 2026-11 --cluster shop -o html > november.html
  stickwatch report --target 99.95 --language zh -o csv`,
		Args: noArguments(func(arg string) string { return "stickwatch report --month " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			month, err := o.validateMonth(cmd)
			if err != nil {
				return err
			}
			return o.print(cmd.Context(), c, month)
		},
	}
	o.registerMonth(cmd)
	return cmd
}

func (o *reportOptions) registerMonth(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.registerSource(cmd)
	flags.StringVar(&o.month, "month", "", "the `MONTH`, such as 2026-11 (default: the last one)")
	flags.Var(&o.target, "target", "`PERCENT` of requests that must be served with their session")
	o.language.register(cmd)
	flags.VarP(&o.output, "output", "o", "a `FORMAT`: "+strings.Join(render.MonthFormats, ", "))
	completeFlag(cmd, "output", render.MonthFormats...)
	explain(cmd, historySourceSection,
		section{"Filter", []string{"cluster", "month"}},
		section{"Output", []string{"target", "language", "output"}})
}

// validateMonth returns the month, or all errors in the flags. A configuration that cannot be
// read is an error of open.
func (o *reportOptions) validateMonth(cmd *cobra.Command) (checks.Span, error) {
	errs := []error{o.target.usageError("target"), o.language.usageError("language"), o.output.usageError("output"), o.validateSource(cmd)}
	zone := time.UTC
	language := alerting.English
	if o.file == "" {
		if cfg, err := loadFile(o.config, ""); err == nil {
			zone, language = cfg.Alerting.Location, alerting.Language(cfg.Alerting.Language)
		}
	}
	if o.language.value == "" {
		o.language.value = string(language)
	}
	now := o.now.In(zone)
	month := o.month
	if month == "" {
		month = time.Date(now.Year(), now.Month(), 0, 0, 0, 0, 0, zone).Format("2006-01") // day 0: the last one of the month before
	}
	span, err := monthly.ParseMonth(month, zone)
	if err != nil {
		err = fmt.Errorf("--month: %w", err)
	} else if span.From.After(o.now) {
		err = fmt.Errorf("--month: %s has not begun", month)
	}
	return span, errors.Join(append(errs, err)...)
}

func (o *reportOptions) print(ctx context.Context, c console, month checks.Span) error {
	reader, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	names, err := o.choose(ctx, reader)
	if err != nil {
		return err
	}
	incidents := func(ctx context.Context, cluster string, span checks.Span) ([]alerting.Incident, error) {
		return reader.Incidents(ctx, alerting.IncidentQuery{Cluster: cluster, Span: span})
	}
	r, err := monthly.Build(ctx, reader, incidents, names, month, o.now, o.target.value)
	if err != nil {
		return exitError{exitFinding, err}
	}
	return render.Month(c.out, o.output.value, r, alerting.Language(o.language.value), o.now)
}
