package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/render"
	"stickwatch/internal/wire"
)

func newFleet(c console) *cobra.Command {
	var file string
	language := newLanguageFlag()
	output := newSetting(render.ListFormats[0], oneOf(render.ListFormats))
	cmd := &cobra.Command{
		Use:   "fleet [flags]",
		Short: "List the instances that share the clusters, and who watches which",
		Long: `fleet lists the instances of serve that share a history in PostgreSQL and the
clusters of a configuration (key fleet), and which instance watches which
cluster. It reads the database, so that it works on every machine with the
configuration, also while instances are down.

An instance is alive, draining (it gives its clusters to others), impaired (it
cannot probe) or gone.

Exit status:
  0  the fleet was listed
  1  the database cannot be read
  2  wrong usage or configuration`,
		Example: `  stickwatch fleet
  stickwatch fleet drain mon1`,
		Args: noArguments(func(arg string) string { return "stickwatch fleet drain " + arg }),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(output.usageError("output"), language.usageError("language")); err != nil {
				return err
			}
			cfg, err := loadFleet(file)
			if err != nil {
				return err
			}
			opts := terminalOptions(c.out, c.environ)
			opts.Reader = language.reader(cfg)
			return listFleet(cmd.Context(), c, cfg, output.value, opts)
		},
	}
	registerFile(cmd, &file)
	cmd.Flags().VarP(&output, "output", "o", "a `FORMAT`: "+strings.Join(render.ListFormats, ", "))
	completeFlag(cmd, "output", render.ListFormats...)
	language.register(cmd)
	cmd.AddCommand(newFleetDrain())
	explain(cmd, section{"Input and output", []string{"config", "language", "output"}})
	return cmd
}

// registerFile adds the flag of the configuration file.
func registerFile(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", defaultFile, "configuration `FILE`")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
}

func newFleetDrain() *cobra.Command {
	var file string
	var undo bool
	cmd := &cobra.Command{
		Use:   "drain INSTANCE [flags]",
		Short: "Let an instance give its clusters to the others",
		Long: `drain lets an instance of the fleet give its clusters to the others, a few
seconds after the command, and take no more until --undo or its restart. If no
other instance is alive, it keeps them.

Exit status:
  0  the instance was told
  1  there is no such instance, or the database cannot be written
  2  wrong usage or configuration`,
		Example: `  stickwatch fleet drain mon1
  stickwatch fleet drain mon1 --undo`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || isEmptyValue(args[0]) {
				return errors.New("expected the name of an INSTANCE: `stickwatch fleet` lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadFleet(file)
			if err != nil {
				return err
			}
			err = history.SetDraining(cmd.Context(), cfg.History.Location(), args[0], !undo)
			if errors.Is(err, history.ErrNotFound) {
				err = fmt.Errorf("there is no instance %q: `stickwatch fleet` lists them", args[0])
			}
			if err != nil {
				return exitError{exitFinding, err}
			}
			return nil
		},
	}
	registerFile(cmd, &file)
	cmd.Flags().BoolVar(&undo, "undo", false, "let it take clusters again")
	explain(cmd, section{"Instance", []string{"config", "undo"}})
	return cmd
}

// loadFleet reads a configuration with a fleet.
func loadFleet(file string) (*config.Config, error) {
	cfg, err := loadFile(file, "name one with -c FILE")
	if err == nil && cfg.Fleet.Instance == "" {
		err = fmt.Errorf("%s has no fleet: see `stickwatch help fleet`", file)
	}
	return cfg, err
}

func listFleet(ctx context.Context, c console, cfg *config.Config, format string, opts render.Options) error {
	reader, err := history.OpenReader(ctx, cfg.History.Location())
	if err != nil {
		return exitError{exitFinding, err}
	}
	defer reader.Close()
	state, err := reader.Fleet(ctx)
	if err != nil {
		return exitError{exitFinding, err}
	}
	return render.Fleet(c.out, format, wireFleetOf(state), state.Now, opts)
}

func wireFleetOf(state history.FleetState) wire.Fleet {
	var fleet wire.Fleet
	clusters := make(map[string]int)
	for _, l := range state.Leases {
		if l.Cluster == "" {
			continue // the maintenance of the history
		}
		lease := wire.Lease{Cluster: l.Cluster, Epoch: l.Epoch}
		if l.Epoch > 0 {
			lease.Since = wire.TimestampOf(l.Since)
		}
		if state.Live(l.Owner) {
			lease.Instance = l.Owner
			clusters[l.Owner]++
		}
		fleet.Leases = append(fleet.Leases, lease)
	}
	for _, i := range state.Instances {
		fleet.Instances = append(fleet.Instances, wire.Instance{
			Name: i.Name, Site: i.Site, Version: i.Version, State: stateOf(state, i), Clusters: clusters[i.Name], Config: i.Digest,
			Started: wire.TimestampOf(i.Started), Seen: wire.TimestampOf(i.Seen), LagMS: state.Now.Sub(i.Seen).Milliseconds(), AheadMS: i.ClockAhead.Milliseconds(),
		})
	}
	return fleet
}

// stateOf returns the state of an instance in one word.
func stateOf(state history.FleetState, i history.Instance) string {
	switch {
	case !state.Live(i.Name):
		return "gone"
	case i.Draining:
		return "draining"
	case !i.CanProbe:
		return "impaired"
	default:
		return "alive"
	}
}
