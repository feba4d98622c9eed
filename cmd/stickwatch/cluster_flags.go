package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/discovery"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// clusterFlags select the clusters of a command: those of a file, or one that flags
// describe.
type clusterFlags struct {
	file  string
	names []string
	quick config.Flags

	configured *config.Config // set by load
}

// defaultFile is read if neither a file nor a cluster is named.
const defaultFile = "stickwatch.yml"

// Flags for clusters of a file, and for a cluster without a file.
var (
	fileSection    = section{"Clusters of a file", []string{"config", "cluster"}}
	clusterSection = section{"Cluster without a file", []string{"balancer", "node", "profile", "method", "client-ip-header"}}
)

func (f *clusterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "config", "c", defaultFile, "configuration `FILE`")
	flags.StringArrayVar(&f.names, "cluster", nil, "only the cluster of this `NAME`; repeatable")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
	completeFlagNames(cmd, "cluster", namesOfClusters)
	f.registerQuick(cmd)
}

// registerQuick registers the flags that need no file.
func (f *clusterFlags) registerQuick(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&f.quick.Balancer, "balancer", nil, "the balancer's `URL`; repeatable")
	flags.StringArrayVar(&f.quick.Nodes, "node", nil, "a node as `ID=URL`, in the order of the balancer's server lines; repeatable")
	flags.StringVar(&f.quick.Profile, "profile", "", "`PROFILE` of the application: "+strings.Join(config.ProfileNames(), ", "))
	flags.StringVar(&f.quick.Method, "method", "", "`METHOD` of the balancer: "+joinWords(probes.Methods))
	flags.StringVar(&f.quick.ClientIPHeader, "client-ip-header", "", "`HEADER` from which the balancer takes the client address of this prober (realip)")
	completeFlag(cmd, "profile", config.ProfileNames()...)
	completeFlag(cmd, "method", asTexts(probes.Methods)...)
}

// completeFlag completes the values of a flag. A word may have a description after a tab.
func completeFlag(cmd *cobra.Command, flag string, words ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // there is no such flag
	}
}

// load returns the selected clusters. Its errors are wrong usage.
func (f *clusterFlags) load(cmd *cobra.Command) ([]*probes.Cluster, error) {
	if err := f.validate(cmd); err != nil {
		return nil, err
	}
	if len(changed(cmd, clusterSection)) > 0 {
		cfg, err := config.FromFlags(f.quick)
		if err != nil {
			return nil, err
		}
		f.configured = cfg
		return cfg.Clusters, nil
	}
	cfg, err := loadFile(f.file, "name one with -c FILE, or describe a cluster with --balancer URL --node ID=URL --node ID=URL")
	if err != nil {
		return nil, err
	}
	f.configured = cfg
	return f.choose(askForNodes(cmd.Context(), cfg))
}

// askForNodes returns cfg with the nodes that the sources of nodes_from list. If one fails, the
// report of its cluster says so.
func askForNodes(ctx context.Context, cfg *config.Config) *config.Config {
	sources := make([]*discovery.Discovery, len(cfg.Clusters))
	var asking panics.Group
	for i, c := range cfg.Clusters {
		if from, ok := cfg.NodesFrom(c.Name); ok {
			sources[i] = discovery.New(from, c)
			asking.Go(func() { _, _ = sources[i].Ask(ctx) })
		}
	}
	asking.Wait()
	for i, c := range cfg.Clusters {
		if sources[i] != nil {
			cfg = cfg.WithNodes(c.Name, sources[i], sources[i].Nodes())
		}
	}
	return cfg
}

// validate returns all errors in the combination of flags.
func (f *clusterFlags) validate(cmd *cobra.Command) error {
	if file, direct := changed(cmd, fileSection), changed(cmd, clusterSection); len(file) > 0 && len(direct) > 0 {
		return fmt.Errorf("--%s selects clusters of a file, and --%s describes one without a file: use one of them", file[0], direct[0])
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

// isEmptyValue reports whether a value is "", "=" or blank: the result of --flag "$A" or
// --flag "$A=$B" in a script with unset variables. It must not count as a missing flag.
func isEmptyValue(value string) bool { return strings.Trim(value, "= ") == "" }

func emptyFlag(name string) error {
	return fmt.Errorf("--%s is empty: give a value, or omit the flag", name)
}

// changed returns the flags of s that the call has.
func changed(cmd *cobra.Command, s section) []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !cmd.Flags().Changed(name) })
}

// choose returns the clusters of a file that --cluster names; all without it.
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

// loadFile is config.Load with a remedy in the errors about a missing file.
func loadFile(file, remedy string) (*config.Config, error) {
	if file == "" {
		return nil, emptyFlag("config")
	}
	cfg, err := config.Load(file)
	switch info, statErr := os.Stat(file); {
	case err == nil:
		return cfg, nil
	case errors.Is(err, fs.ErrNotExist) && file == defaultFile:
		return nil, fmt.Errorf("there is no %s here: %s", file, remedy)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %q: %s", file, remedy)
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
