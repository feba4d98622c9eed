package main

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/checks"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// watchOptions are the flags of probe --watch.
type watchOptions struct {
	length    setting[time.Duration] // 0: until interrupted, or until the command ends
	sessions  setting[int]
	drain     string
	noLoss    bool // any lost session is a failure
	maxOutage setting[time.Duration]
	server    serverFlags

	asked   bool     // --watch was given
	limited bool     // --max-outage was given
	command []string // runs during the watch; nil: none
}

// forever is the value of --watch without a duration.
const forever = "forever"

func newWatchOptions() watchOptions {
	return watchOptions{
		length:    newSetting("", watchLength),
		sessions:  newSetting("1", parseCount),
		maxOutage: newSetting("", atLeast(0)),
	}
}

func watchLength(text string) (time.Duration, error) {
	if text == forever {
		return 0, nil
	}
	return atLeast(time.Second)(text)
}

// watchSection has the flags that need --watch.
var watchSection = section{"Watching a deployment", append([]string{"sessions", "drain", "max-outage", "fail-on-loss"}, serverSection.names...)}

func (o *watchOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(&o.length, "watch", "watch sessions for this `DURATION`, until interrupted, or while the command after -- runs, and report their outcomes")
	flags.Lookup("watch").NoOptDefVal = forever
	flags.Var(&o.sessions, "sessions", "`NUMBER` of sessions on each node")
	flags.StringVar(&o.drain, "drain", "", "the `NODE` is being drained: its sessions must survive, and it must get no new clients")
	flags.Var(&o.maxOutage, "max-outage", "fail on an outage longer than this `DURATION` (default: outages are warnings)")
	flags.BoolVar(&o.noLoss, "fail-on-loss", false, "exit 1 if any session was lost, even if the policy allows it")
	o.server.register(cmd)
	flags.Lookup("server").Usage = "announce the deployment to the daemon at this `URL`, which may have user:password@: it records the deployment, holds back notifications that it explains, and summarises it"
}

// takeArguments takes the duration of `--watch 10m`, which the flag package leaves as an
// argument because the value is optional, and the command after --.
func (o *watchOptions) takeArguments(cmd *cobra.Command, args []string) error {
	o.asked = cmd.Flags().Changed("watch")
	o.limited = cmd.Flags().Changed("max-outage")
	dash := cmd.ArgsLenAtDash()
	if dash >= 0 {
		args, o.command = args[:dash], args[dash:]
	}
	if o.asked && o.length.text == forever && len(args) > 0 && (args[0] == "" || '0' <= args[0][0] && args[0][0] <= '9') {
		o.length.set(args[0])
		args = args[1:]
	}
	switch {
	case len(args) > 0:
		return noArguments(suggestCall)(cmd, args)
	case dash >= 0 && !o.asked:
		return errors.New("a command after -- needs --watch")
	case dash >= 0 && len(o.command) == 0:
		return errors.New("--watch: there is no command after --")
	default:
		return nil
	}
}

// validate returns all errors in the flags.
func (o *watchOptions) validate(cmd *cobra.Command) error {
	if !o.asked {
		if given := changed(cmd, watchSection); len(given) > 0 {
			return fmt.Errorf("--%s needs --watch", given[0])
		}
		return nil
	}
	errs := []error{
		o.length.usageError("watch"), o.sessions.usageError("sessions"), o.maxOutage.usageError("max-outage"), o.server.validate(cmd),
	}
	if given := changed(cmd, serverSection); len(given) > 0 && !slices.Contains(given, "server") {
		errs = append(errs, fmt.Errorf("--%s needs --server", given[0]))
	}
	if len(o.command) > 0 && o.length.value > 0 {
		errs = append(errs, errors.New("--watch: got both a duration and a command: the command determines the duration"))
	}
	for _, flag := range []struct{ name, value string }{
		{"watch", o.length.text}, {"drain", o.drain}, {"server", o.server.server.text},
	} {
		if cmd.Flags().Changed(flag.name) && isEmptyValue(flag.value) {
			return emptyFlag(flag.name)
		}
	}
	if len(o.command) > 0 {
		if _, err := exec.LookPath(o.command[0]); err != nil {
			errs = append(errs, fmt.Errorf("--watch: %w", err))
		}
	}
	return errors.Join(errs...)
}

// limits returns the limits for the deployment of a cluster.
func (o *probeOptions) limits(c *probes.Cluster) gate.Limits {
	l := gate.Limits{Confidence: o.confidence.value, NoLoss: o.watch.noLoss}
	for _, n := range c.Nodes {
		if n.ID == o.watch.drain {
			l.Drain = n.ID
		}
	}
	if o.watch.limited {
		l.MaxOutage = &o.watch.maxOutage.value
	}
	for _, code := range o.ignore {
		l.Ignore = append(l.Ignore, checks.Code(code))
	}
	return l
}
