package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// clusterFlags say which clusters a command is about: those of a file, or one
// that is described by flags.
type clusterFlags struct {
	file  string
	names []string
	quick config.Flags
}

// defaultFile is read when neither a file nor a cluster is named.
const defaultFile = "stickwatch.yml"

// Flags that choose from a file, and flags that do without one.
var (
	fileSection    = section{"Which clusters, by a file", []string{"config", "cluster"}}
	clusterSection = section{"Which cluster, without a file", []string{"balancer", "node", "profile", "method", "client-ip-header"}}
)

func (f *clusterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "config", "c", defaultFile, "configuration `FILE`")
	flags.StringArrayVar(&f.names, "cluster", nil, "only the cluster of this `NAME`; repeatable")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	completeFlagNames(cmd, "cluster", namesOfClusters)
	f.registerQuick(cmd)
}

// registerQuick is register for a command that reads no configuration.
func (f *clusterFlags) registerQuick(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.quick.Balancer, "balancer", nil, "the balancer's `URL`; repeatable")
	flags.StringArrayVar(&f.quick.Nodes, "node", nil, "a node as `ID=URL`, in the order of the balancer's server lines; repeatable")
	flags.StringVar(&f.quick.Profile, "profile", "", "what runs there, a `PROFILE`: "+strings.Join(config.ProfileNames(), ", "))
	flags.StringVar(&f.quick.Method, "method", "", "how the balancer chooses, a `METHOD`: "+joinWords(probes.Methods))
	flags.StringVar(&f.quick.ClientIPHeader, "client-ip-header", "", "the `HEADER` from which the balancer takes this prober's client address (realip)")
	completeFlag(cmd, "profile", config.ProfileNames()...)
	completeFlag(cmd, "method", asTexts(probes.Methods)...)
}

// completeFlag completes the values of a flag, each with a description after a tab if
// need be.
func completeFlag(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // there is no such flag
	}
}

// load returns the clusters asked for. Its errors are of usage.
func (f *clusterFlags) load(cmd *cobra.Command) ([]*probes.Cluster, error) {
	if err := f.validate(cmd); err != nil {
		return nil, err
	}
	if len(changed(cmd, clusterSection)) > 0 {
		cfg, err := config.FromFlags(f.quick)
		if err != nil {
			return nil, err
		}
		return cfg.Clusters, nil
	}
	cfg, err := loadFile(f.file, "name one with -c FILE, or describe a cluster with --balancer URL --node ID=URL --node ID=URL")
	if err != nil {
		return nil, err
	}
	return f.choose(cfg)
}

// validate are what is wrong before any value is looked at.
func (f *clusterFlags) validate(cmd *cobra.Command) error {
	if of, without := changed(cmd, fileSection), changed(cmd, clusterSection); len(of) > 0 && len(without) > 0 {
		return fmt.Errorf("--%s is for clusters of a file, and --%s for one without: leave one of them out", of[0], without[0])
	}
	var errs []error
	for _, flag := range []struct {
		name   string
		values []string
	}{
		{"cluster", f.names},
		{"balancer", f.quick.Balancer},
		{"node", f.quick.Nodes},
		{"profile", []string{f.quick.Profile}},
		{"method", []string{f.quick.Method}},
		{"client-ip-header", []string{f.quick.ClientIPHeader}},
	} {
		if cmd.Flags().Changed(flag.name) && slices.ContainsFunc(flag.values, isEmptyValue) {
			errs = append(errs, emptyFlag(flag.name))
		}
	}
	return errors.Join(errs...)
}

// nothing reports whether a value is what --flag "$A" or --flag "$A=$B" comes
// to in a script whose variables are not set. That must not pass for a flag
// that was left out.
func isEmptyValue(value string) bool { return strings.Trim(value, "= ") == "" }

func emptyFlag(name string) error {
	return fmt.Errorf("--%s: is empty: give it a value, or leave it out", name)
}

// changed is the flags of s that the call has.
func changed(cmd *cobra.Command, s section) []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !cmd.Flags().Changed(name) })
}

// choose returns the clusters of a file that --cluster names; all when it names
// none.
func (f *clusterFlags) choose(cfg *config.Config) ([]*probes.Cluster, error) {
	if len(f.names) == 0 {
		return cfg.Clusters, nil
	}
	var chosen []*probes.Cluster
	var unknown []error
	for _, name := range f.names {
		cluster := cfg.Cluster(name)
		switch {
		case cluster == nil:
			unknown = append(unknown, fmt.Errorf("--cluster: %q is not in %s: it has %s", name, f.file, clusterNames(cfg)))
		case !slices.Contains(chosen, cluster):
			chosen = append(chosen, cluster)
		}
	}
	return chosen, errors.Join(unknown...)
}

// loadFile is config.Load with errors that say what to do about a file that
// cannot be read.
func loadFile(file, otherwise string) (*config.Config, error) {
	if file == "" {
		return nil, emptyFlag("config")
	}
	cfg, err := config.Load(file)
	switch info, statErr := os.Stat(file); {
	case err == nil:
		return cfg, nil
	case errors.Is(err, fs.ErrNotExist) && file == defaultFile:
		return nil, fmt.Errorf("there is no %s here: %s", file, otherwise)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %q: %s", file, otherwise)
	case statErr == nil && info.IsDir():
		return nil, fmt.Errorf("%q is a directory: name the file in it, such as -c %s", file, filepath.Join(file, defaultFile))
	default:
		return nil, err
	}
}

func clusterNames(cfg *config.Config) string {
	var names []string
	for _, c := range cfg.Clusters {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
