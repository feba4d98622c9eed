package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/logwriter"
	"stickwatch/internal/metrics"
	"stickwatch/internal/panics"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	announcement func(language string) string // of the demo; nil: none
	newClients   time.Duration                // of the demo; 0: the usual interval

	file      string
	listen    string // "": from the file
	webConfig string
	admin     string // path of the admin socket; "": beside the history
	group     string // that may open it besides the owner; "": none
	healthy   bool   // check the health of a running daemon instead
	logFormat setting[string]
	logLevel  setting[slog.Level]
}

func newServe(c console) *cobra.Command {
	o := serveOptions{
		logFormat: newSetting("text", oneOf([]string{"text", "json"})),
		logLevel:  newSetting("info", logLevel),
	}
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Monitor the clusters of a file continuously",
		Long: `serve is the daemon. It probes every cluster on a schedule, keeps canaries on
every node, records the results in a history, notifies receivers of incidents,
and listens on 127.0.0.1:9748 (key listen):

  /                   the status page
  /metrics            for Prometheus; /probe?cluster=NAME takes a round now
  /api/v1/...         clusters, incidents, history, silences, deployments
  /-/healthy, /-/ready, /-/reload (POST)

SIGHUP and /-/reload reload the configuration. An invalid file changes nothing.
Unchanged clusters keep their canaries. SIGTERM and Ctrl-C end the daemon after
it has written pending data.

Write access (silences, deployments, probes, reloads) is for the users in
--web.config.file and for everyone who may open the admin socket; its file
permissions decide. The commands of stickwatch use the socket automatically.
stickwatch token gives a browser or a pipeline access through it.
curl --unix-socket FILE -X POST http://localhost/-/reload reloads.

The log goes to standard error. Exit status:
  0  ended by SIGTERM or Ctrl-C
  1  it could not start or continue, for example because of the address or the
     history
  2  wrong usage or configuration`,
		Example: `  stickwatch serve
  stickwatch serve -c /etc/stickwatch/stickwatch.yml --log-format json
  # TLS and users, in the format of Prometheus's exporters
  stickwatch serve --web.config.file web.yml
  # after a change of the file
  stickwatch check && kill -HUP $(pidof stickwatch)`,
		Args: noArguments(func(arg string) string { return "stickwatch serve -c " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context(), c)
		},
	}
	o.register(cmd)
	explain(cmd,
		section{"Configuration", []string{"config"}},
		section{"Listening", []string{"listen", "web.config.file", "admin-socket", "admin-group", "healthcheck"}},
		section{"Log", []string{"log-format", "log-level"}})
	return cmd
}

func (o *serveOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "config", "c", defaultFile, "configuration `FILE`")
	flags.StringVar(&o.listen, "listen", "", "listen on this `HOST:PORT` (default: the file's, else 127.0.0.1:9748)")
	flags.StringVar(&o.webConfig, "web.config.file", "", "`FILE` with TLS, users and headers, in the format of Prometheus's exporter-toolkit")
	flags.StringVar(&o.admin, "admin-socket", "", "`FILE` of the Unix socket with write access (default: the history's file and .sock)")
	flags.StringVar(&o.group, "admin-group", "", "`GROUP`, by name or number, that may open the socket besides its owner")
	flags.BoolVar(&o.healthy, "healthcheck", false, "check the health of the running daemon, and exit 0 or 1")
	flags.Var(&o.logFormat, "log-format", "a `FORMAT`: text, json")
	flags.Var(&o.logLevel, "log-level", "the least `LEVEL` that is written: debug, info, warn, error")
	completeFlag(cmd, "log-format", "text", "json")
	completeFlag(cmd, "log-level", "debug", "info", "warn", "error")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	_ = cmd.MarkFlagFilename("web.config.file", "yml", "yaml")
}

// logLevel parses a level of slog.
func logLevel(text string) (level slog.Level, err error) {
	if strings.ContainsAny(text, "+-") || level.UnmarshalText([]byte(text)) != nil {
		return 0, errors.New("one of debug, info, warn, error")
	}
	return level, nil
}

func (o *serveOptions) validate(cmd *cobra.Command) error {
	errs := []error{o.logFormat.usageError("log-format"), o.logLevel.usageError("log-level")}
	if cmd.Flags().Changed("listen") {
		errs = append(errs, badAddress("listen", o.listen))
	}
	for name, value := range map[string]string{"admin-socket": o.admin, "admin-group": o.group} {
		if cmd.Flags().Changed(name) && isEmptyValue(value) {
			errs = append(errs, emptyFlag(name))
		}
	}
	return errors.Join(errs...)
}

// badAddress returns the error in a flag with an address to listen on.
func badAddress(flag, value string) error {
	if _, port, err := net.SplitHostPort(value); err != nil || port == "" {
		return fmt.Errorf("--%s: got %q, want an address such as 127.0.0.1:9748, or :9748 for all interfaces", flag, value)
	}
	return nil
}

// load reads the configuration and applies the flags.
func (o *serveOptions) load() (*config.Config, error) {
	cfg, err := loadFile(o.file, "name one with -c FILE, or let `stickwatch init` write one")
	if err == nil && o.listen != "" {
		cfg.Listen = o.listen
	}
	return cfg, err
}

func (o *serveOptions) run(parent context.Context, c console) error {
	if o.healthy && o.listen != "" {
		return o.ask(parent, o.listen) // without the file, whose mistakes do not affect a running daemon
	}
	cfg, err := o.load()
	if err != nil {
		return err // wrong usage, unlike the errors below
	}
	if o.healthy {
		return o.ask(parent, cfg.Listen)
	}
	return o.serve(parent, c, o.openLog(c.err), o.load, func(*daemon.Daemon) error { return nil })
}

// ask checks the health of the daemon at an address.
func (o *serveOptions) ask(ctx context.Context, listen string) error {
	if err := healthcheck(ctx, listen); err != nil {
		return exitError{exitFinding, err}
	}
	return nil
}

// serve runs a daemon until it is interrupted. It calls started after the start.
func (o *serveOptions) serve(parent context.Context, c console, log daemonLog, load func() (*config.Config, error), started func(*daemon.Daemon) error) error {
	ctx, stop := untilInterrupted(parent)
	defer stop()
	ignoreBrokenPipes()
	logger := log.Logger
	slog.SetDefault(logger) // so that logs of libraries and of package panics never block either
	defer log.out.Flush(flushTimeout)
	d, err := daemon.Start(ctx, daemon.Config{
		Load: load, Prober: newProber(), Notifier: notifierOf(logger),
		WebConfigFile: o.webConfig, AdminSocket: o.admin, AdminGroup: o.group,
		Build: metrics.Build{Version: versionText(), Revision: revision()}, Logger: logger,
		LogDropped: log.out.Dropped, Service: systemd(), Announcement: o.announcement, NewClients: o.newClients,
	})
	if err == nil {
		err = started(d)
	}
	if err != nil {
		return exitError{exitFinding, fmt.Errorf("starting: %w", err)}
	}
	logger.Info("watching", "version", versionText(), "url", pageURL(d.Address(), o.webConfig))
	defer reloadOnHangup(ctx, d, logger)()
	panics.Go(panics.Daemon, func() { tuneGC(ctx, c.environ) })
	if err := d.Run(ctx); err != nil {
		return exitError{exitFinding, err}
	}
	return nil
}

// A daemonLog is a log that never blocks on its file.
type daemonLog struct {
	*slog.Logger
	out *logwriter.Writer
}

func (o *serveOptions) openLog(file io.Writer) daemonLog {
	out := logwriter.New(file, func(lines int64) []byte {
		var line bytes.Buffer
		o.logger(&line).Error("log lines were dropped: standard error is blocked", "lines", lines)
		return line.Bytes()
	})
	return daemonLog{o.logger(out), out}
}

func (o *serveOptions) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: o.logLevel.value}
	if o.logFormat.value == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// reloadOnHangup reloads the configuration on SIGHUP until stop is called.
func reloadOnHangup(ctx context.Context, d *daemon.Daemon, logger *slog.Logger) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	panics.Go(panics.Daemon, func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangups:
			}
			var err error
			if caught := panics.Catch(panics.Daemon, func() { err = d.Reload(ctx) }); caught != nil {
				err = caught
			}
			if err != nil {
				logger.Error("reloading: the old configuration stays active", "err", err)
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
	}
}

// pageURL returns the URL of the status page on this machine.
func pageURL(address net.Addr, webConfig string) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	scheme := "http"
	if webConfig != "" {
		scheme = "http(s)" // the file decides
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/"
}

// systemd returns the service manager that started this process; without systemd it does
// nothing. Errors are ignored: the service manager notices missing messages.
func systemd() daemon.Service {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		interval = 0
	}
	return daemon.Service{
		Watchdog: interval / 3, // so that one that is late does no harm
		Notify: func(state string) {
			if state == sd.SdNotifyReloading {
				state += "\n" + sd.SdNotifyMonotonicUsec() // required since systemd 253
			}
			_, _ = sd.SdNotify(false, state)
		},
	}
}
