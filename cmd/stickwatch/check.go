package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

func newCheck(c console) *cobra.Command {
	var file, receiver string
	var schema bool
	language := newLanguageFlag()
	cmd := &cobra.Command{
		Use:   "check [flags]",
		Short: "Validate a configuration file",
		Long: `check validates a configuration and reports all problems at once, with file,
line, column, the path of the key, and the expected value. It sends no requests.
With --schema it prints the JSON Schema of the file, for editors. With --notify
it sends a test message to a receiver of the file, and then the message that the
test is resolved, as for an incident.

Exit status:
  0  the file is valid, or the receiver accepted the messages
  1  the receiver did not accept them
  2  the file is invalid or cannot be read`,
		Example: `  stickwatch check
  stickwatch check -c /etc/stickwatch/stickwatch.yml
  # for an editor: # yaml-language-server: $schema=stickwatch.schema.json
  stickwatch check --schema > stickwatch.schema.json
  # does the receiver get messages?
  stickwatch check --notify ops`,
		Args: noArguments(func(arg string) string { return "stickwatch check -c " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			notify := cmd.Flags().Changed("notify")
			if err := language.usageError("language"); err != nil {
				return err
			}
			switch {
			case notify && isEmptyValue(receiver):
				return emptyFlag("notify")
			case notify && schema:
				return errors.New("--notify and --schema exclude each other")
			case notify:
				return testReceiver(cmd.Context(), c, file, receiver, language)
			case schema:
				return printSchema(c)
			default:
				return checkFile(c, file, language)
			}
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", defaultFile, "configuration `FILE`")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the file")
	language.register(cmd)
	cmd.Flags().StringVar(&receiver, "notify", "", "send a test message to the `RECEIVER` of the file")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	completeFlagNames(cmd, "notify", namesOfReceivers)
	explain(cmd, section{"Flags", []string{"config", "schema", "notify", "language"}})
	return cmd
}

func checkFile(c console, file string, language languageFlag) error {
	cfg, err := loadFile(file, "name one with -c FILE")
	if err != nil {
		return err
	}
	nodes := 0
	for _, cluster := range cfg.Clusters {
		nodes += len(cluster.Nodes)
	}
	reader := language.reader(cfg)
	found := reader.Count(nodes, "node", "nodes")
	if n := cfg.Sources(); n > 0 {
		found = reader.Translate("%s and those of %s", found, reader.Count(n, "source", "sources"))
	}
	_, err = fmt.Fprintln(c.out, reader.Translate("%s is valid: %s (%s), %s", file,
		reader.Count(len(cfg.Clusters), "cluster", "clusters"), clusterNames(cfg), found))
	return err
}

func printSchema(c console) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(schema, '\n'))
	return err
}

// testTimeout bounds the delivery of both test notifications.
const testTimeout = 30 * time.Second

// testReceiver sends a test notification to the receiver of that name, then the resolved
// one.
func testReceiver(ctx context.Context, c console, file, name string, language languageFlag) error {
	cfg, err := loadFile(file, "name one with -c FILE")
	if err != nil {
		return err
	}
	notifier, err := testNotifier(c, cfg.Alerting, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	test := testNotification(name, cfg.Alerting.Language, time.Now())
	reference, err := notifier.Notify(ctx, test)
	if err != nil {
		return exitError{exitFinding, fmt.Errorf("sending a test message to %q: %w", name, err)}
	}
	if _, err := notifier.Notify(ctx, testResolvedNotification(test, reference, time.Now())); err != nil {
		return exitError{exitFinding, fmt.Errorf("%s has the test message; resolving it: %w", name, err)}
	}
	_, err = fmt.Fprintln(c.out, language.reader(cfg).Translate("%s accepted the test message and its resolution", name))
	return err
}

// testNotifier returns the notifier of a receiver. Its messages have no links, because a
// test has no page.
func testNotifier(c console, a config.Alerting, name string) (alerting.Notifier, error) {
	at := slices.IndexFunc(a.Receivers, func(r config.Receiver) bool { return r.Name == name })
	if at < 0 {
		return nil, noReceiver(a, name)
	}
	a.ExternalURL, a.GrafanaURL = nil, nil
	logger := slog.New(slog.NewTextHandler(c.err, nil))
	notifier, err := notifierOf(logger)(a.Receivers[at], a)
	if err != nil {
		return nil, fmt.Errorf("--notify: %q: %w", name, err)
	}
	return notifier, nil
}

func noReceiver(a config.Alerting, wanted string) error {
	if len(a.Receivers) == 0 {
		return errors.New("--notify: the file has no receivers: add one under alerting.receivers")
	}
	var known []string
	for _, r := range a.Receivers {
		known = append(known, r.Name)
	}
	hint := ""
	if near := nearest(wanted, known); near != "" {
		hint = fmt.Sprintf("did you mean %q? ", near)
	}
	return fmt.Errorf("--notify: there is no receiver %q: %sknown receivers: %s", render.CleanName(wanted), hint, render.CleanNames(known))
}

// testCode stands in for the code of a finding. The catalogue does not have it.
const testCode checks.Code = "test"

// testNotification returns a notification that says that it is a test.
func testNotification(receiver, language string, now time.Time) alerting.Notification {
	id := "test-" + strconv.FormatInt(now.UnixNano(), 36)
	summary, remedy := "This is a test: nothing is wrong.", "Nothing to do. A real alert shows its remedy here."
	if language == string(alerting.Chinese) {
		summary, remedy = "这是一条测试消息，一切正常。", "无需处理。真实告警会在这里给出处理建议。"
	}
	cause := checks.Finding{
		Code: testCode, Severity: checks.Warning, Summary: checks.Quote(summary), Remedy: checks.Quote(remedy),
		Evidence: []checks.Message{checks.Quote(testEvidence(receiver, language))},
	}
	return alerting.Notification{
		ID: alerting.NotificationID(id, receiver, 1), Receiver: receiver, Kind: alerting.NotificationFired, At: now, Attempts: 1,
		Incident: alerting.Incident{
			ID: id, Cluster: "test", State: alerting.Firing, Severity: cause.Severity, Cause: cause, Started: now, Fired: now,
			Findings: []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: cause, Since: now, Last: now}}},
		},
	}
}

// testEvidence returns the sender of a test notification.
func testEvidence(receiver, language string) string {
	text := "stickwatch check --notify " + receiver
	switch host, err := os.Hostname(); {
	case err != nil:
	case language == string(alerting.Chinese):
		text += "（主机 " + host + "）"
	default:
		text += " on " + host
	}
	return probes.Clean(text, probes.MaxError)
}

// testResolvedNotification returns the notification that resolves a test.
func testResolvedNotification(test alerting.Notification, reference alerting.DeliveryRef, now time.Time) alerting.Notification {
	resolved := test
	resolved.ID = alerting.NotificationID(test.Incident.ID, test.Receiver, 2)
	resolved.Kind, resolved.At, resolved.Thread = alerting.NotificationResolved, now, reference.Thread
	resolved.Incident.State, resolved.Incident.Ended = alerting.Resolved, now
	resolved.Incident.Findings = slices.Clone(test.Incident.Findings)
	resolved.Incident.Findings[0].Ended = now
	return resolved
}
