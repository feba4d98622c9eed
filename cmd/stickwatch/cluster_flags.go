package main

import (
	"errors"
	"fmt"
	"io/fs"
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

// defaultFile is read when neither a file nor a balancer is named.
const defaultFile = "stickwatch.yml"

func (f *clusterFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "config", "c", defaultFile, "configuration `file`")
	flags.StringArrayVar(&f.names, "cluster", nil, "only this cluster of the file; repeatable")
	flags.StringArrayVar(&f.quick.Balancer, "balancer", nil, "`URL` of the balancer, instead of a file; repeatable")
	flags.StringArrayVar(&f.quick.Nodes, "node", nil, "a node as `ID=URL`, in the order of the balancer's server lines; repeatable")
	flags.StringVar(&f.quick.Profile, "profile", "", "what runs there: "+strings.Join(config.ProfileNames(), ", "))
	flags.StringVar(&f.quick.Method, "method", "", "how the balancer chooses: "+joinWords(probes.Methods))
	flags.StringVar(&f.quick.ClientIPHeader, "client-ip-header", "", "`header` that the balancer's realip takes from this prober")
	_ = cmd.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(config.ProfileNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions(asTexts(probes.Methods), cobra.ShellCompDirectiveNoFileComp))
}

// load returns the clusters asked for. Its errors are of usage.
func (f *clusterFlags) load(cmd *cobra.Command) ([]*probes.Cluster, error) {
	cfg, err := f.config(cmd)
	if err != nil {
		return nil, err
	}
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

func (f *clusterFlags) config(cmd *cobra.Command) (*config.Config, error) {
	described := false
	for _, name := range []string{"balancer", "node", "profile", "method", "client-ip-header"} {
		described = described || cmd.Flags().Changed(name)
	}
	switch {
	case described && cmd.Flags().Changed("config"):
		return nil, errors.New("--config and --balancer are two ways to say one thing: give one of them")
	case described:
		return config.FromFlags(f.quick)
	}
	cfg, err := config.Load(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here: name a file with --config, or a cluster with --balancer URL --node ID=URL --node ID=URL", f.file)
	}
	return cfg, err
}

func clusterNames(cfg *config.Config) string {
	var names []string
	for _, c := range cfg.Clusters {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func asTexts[T ~string](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}

func joinWords[T ~string](values []T) string { return strings.Join(asTexts(values), ", ") }
