package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stickwatch/internal/config"
	"stickwatch/internal/importer"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
)

// initOptions are the flags of init.
type initOptions struct {
	clusters  clusterFlags
	files     map[importer.Product]*string
	upstreams []string
	offline   bool
	try       bool
	output    string
	force     bool
	language  languageFlag
}

// The flags by source. The files are in the order of importer.Products.
var (
	balancerFileSection = section{"From the balancer's file", []string{"nginx", "apache", "haproxy", "caddy", "traefik", "envoy", "kubernetes", "mod-jk", "upstream"}}
	noFileSection       = section{"Without a file", clusterSection.names}
	askingSection       = section{"Asking the nodes", []string{"offline", "try"}}
	initOutputSection   = section{"Output", []string{"output", "force", "language"}}
)

func newInit(c console) *cobra.Command {
	options := initOptions{files: map[importer.Product]*string{}, language: newLanguageFlag()}
	cmd := &cobra.Command{
		Use:   "init [flags] [--try URL...]",
		Short: "Generate a configuration from the balancer's file",
		Long: `init reads the configuration of your balancer and writes a stickwatch.yml: every
cluster with its nodes, weights, method, cookie and paths. A comment marks each
guess; guesses are also listed on standard error. A cluster whose nodes the file
does not name (variables, templates, DNS) is written as a comment to complete.
On a terminal, init offers the candidates of up to 12 guesses, such as the
address for users, and writes your answers. Without a balancer's file, flags
describe the cluster.

Unless --offline is given, init asks the nodes: which profile fits, how they
call themselves, which page opens a session, whether it stores a counter, and
whether nodes know each other's sessions. It tries that with its own sessions,
ends with one probe of up to five clusters whose nodes and balancer answer, and
prints the report (with -o -, on standard error). Asking takes at most half a
minute, and nodes that do not answer are named.

It changes nothing but its own output; the sessions that it opens expire.

Exit status:
  0  the configuration was written and is valid; with --try, a profile fits
  1  with --try: no profile fits
  2  wrong usage, a file that cannot be read or parsed, or a file without a
     cluster; nothing was written
  3  with --try: no node answers`,
		Example: `  # from nginx.conf and what it includes
  stickwatch init --nginx /etc/nginx/nginx.conf
  # from another machine: the output of nginx -T, and the URL for users
  ssh lb nginx -T | stickwatch init --nginx - --balancer http://10.0.0.9
  # one backend of HAProxy, on standard output
  stickwatch init --haproxy /etc/haproxy/haproxy.cfg --upstream shop -o -
  # which profile fits?
  stickwatch init --try http://10.0.0.1:8080 http://10.0.0.2:8080
  # without a file; the nodes are examined
  stickwatch init --balancer http://10.0.0.9 \
      --node node1=http://10.0.0.1:8080 --node node2=http://10.0.0.2:8080`,
		Args: options.tryArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd, c) },
	}
	options.register(cmd)
	return cmd
}

func (o *initOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	for product, what := range map[importer.Product]string{
		importer.Nginx:   "`FILE`: nginx.conf or the output of nginx -T; - for standard input",
		importer.Apache:  "`FILE`: httpd.conf or apache2.conf",
		importer.HAProxy: "`FILE`: haproxy.cfg",
		importer.Caddy:   "`FILE`: Caddyfile",

		importer.Traefik:    "`FILE`: dynamic configuration (YAML, TOML) or compose file with labels",
		importer.Envoy:      "`FILE`: static bootstrap (YAML, JSON)",
		importer.Kubernetes: "`FILE`: manifests of Ingresses, Services and StatefulSets",
		importer.ModJK:      "`FILE`: workers.properties",
	} {
		o.files[product] = flags.String(string(product), "", what)
	}
	flags.StringArrayVar(&o.upstreams, "upstream", nil, "only the upstream, balancer or backend of this `NAME`; repeatable")
	o.clusters.registerQuick(cmd)
	flags.BoolVar(&o.offline, "offline", false, "send no requests")
	flags.BoolVar(&o.try, "try", false, "only say which profiles fit the nodes of the URLs or of the file, and why")
	flags.StringVarP(&o.output, "output", "o", defaultFile, "`FILE` to write, or - for standard output")
	flags.BoolVar(&o.force, "force", false, "replace an existing file")
	o.language.register(cmd)
	explain(cmd, balancerFileSection, noFileSection, askingSection, initOutputSection)
}

// productOf returns the product that the name of a file suggests.
func productOf(file string) importer.Product {
	name := strings.ToLower(file)
	switch {
	case strings.HasSuffix(name, ".cfg"), strings.Contains(name, "haproxy"):
		return importer.HAProxy
	case strings.Contains(name, "httpd"), strings.Contains(name, "apache"):
		return importer.Apache
	case strings.Contains(name, "caddy"):
		return importer.Caddy
	case strings.Contains(name, "envoy"):
		return importer.Envoy
	case strings.Contains(name, "traefik"), strings.Contains(name, "compose"), strings.HasSuffix(name, ".toml"):
		return importer.Traefik
	case strings.Contains(name, "ingress"):
		return importer.Kubernetes
	case strings.HasSuffix(name, ".properties"):
		return importer.ModJK
	default:
		return importer.Nginx
	}
}

func (o *initOptions) run(cmd *cobra.Command, c console) error {
	if o.try {
		return o.runTry(cmd, c)
	}
	if err := o.validate(cmd); err != nil {
		return err
	}
	found, err := o.readConfiguration(cmd, c)
	if err != nil {
		return err
	}
	reader := o.language.reader(nil)
	target := newTarget(o.output, o.force)
	if err := target.free(); err != nil { // before any request is sent
		return err
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	if !o.offline {
		o.ask(ctx, c, found)
		if cause, ok := errors.AsType[interruption](context.Cause(ctx)); ok {
			return exitError{cause.status(), cause}
		}
	}
	if o.interactive(c) {
		stop() // an interrupt ends the program while it waits for an answer
		if err := answerQuestions(cmd.Context(), c.in, c.err, found, reader); err != nil {
			return err
		}
		ctx = cmd.Context()
		if !o.offline && found.Moved() {
			o.ask(ctx, c, found)
		}
	}
	text, err := found.YAML(reader)
	if err != nil {
		return err
	}
	printNotes(c, found, reader)
	cfg, err := target.write(c, text, found, reader)
	if err != nil || o.offline {
		return err
	}
	return printFirstReport(ctx, c, target.besides(c), cfg, found, reader)
}

func (o *initOptions) ask(ctx context.Context, c console, found *importer.Import) {
	line := newStatusLine(c)
	line.log(o.language.reader(nil).Translate("examining the nodes"))
	found.Ask(ctx)
	line.clear()
}

// interactive reports whether a person can answer questions: on a terminal, unless the
// balancer's file is read from it.
func (o *initOptions) interactive(c console) bool {
	for _, file := range o.files {
		if *file == "-" {
			return false
		}
	}
	return term.IsTerminal(int(c.in.Fd())) && term.IsTerminal(int(c.err.Fd())) && !slices.Contains(c.environ, "TERM=dumb")
}

// answerQuestions offers the candidates of guesses and takes the answers, until there is
// no more input.
func answerQuestions(ctx context.Context, in io.Reader, out io.Writer, found *importer.Import, reader phrase.Reader) error {
	lines := bufio.NewScanner(in)
	for q, ok := found.Question(); ok; q, ok = found.Question() {
		fmt.Fprintf(out, "\n%s\n", render.CleanSentence(reader.Translate("%s: %s: %s", q.Cluster, q.Key, q.Why)))
		for i, option := range q.Options {
			fmt.Fprintf(out, "  %d  %s\n", i+1, render.CleanSentence(option))
		}
		for {
			fmt.Fprint(out, reader.Translate("number or value (Enter: 1, marked as a guess): "))
			if !lines.Scan() {
				fmt.Fprintln(out)
				return errors.Join(lines.Err(), context.Cause(ctx))
			}
			err := q.Answer(lines.Text())
			if err == nil {
				break
			}
			fmt.Fprintln(out, "stickwatch: "+render.CleanSentence(err.Error()))
		}
	}
	return nil
}

// printNotes writes the notes and guesses of the import to standard error.
func printNotes(c console, found *importer.Import, reader phrase.Reader) {
	for _, note := range found.Notes(reader) {
		fmt.Fprintln(c.err, "stickwatch: "+render.CleanSentence(note))
	}
	for _, guess := range found.Guesses(reader) {
		fmt.Fprintln(c.err, "stickwatch: "+render.CleanSentence(reader.Translate("guessed: %s", guess)))
	}
}

// validate returns all errors in the flags.
func (o *initOptions) validate(cmd *cobra.Command) error {
	errs := []error{o.clusters.validate(cmd), o.language.usageError("language")}
	named := o.named(cmd)
	for _, product := range named {
		if *o.files[product] == "" {
			errs = append(errs, emptyFlag(string(product)))
		}
	}
	if slices.ContainsFunc(o.upstreams, isEmptyValue) {
		errs = append(errs, emptyFlag("upstream"))
	}
	if o.output == "" {
		errs = append(errs, emptyFlag("output"))
	}
	for _, flag := range []string{"node", "method", "client-ip-header"} {
		if len(named) > 0 && cmd.Flags().Changed(flag) {
			errs = append(errs, fmt.Errorf("--%s cannot be combined with --%s, whose file has this information", flag, named[0]))
		}
	}
	if len(named) > 0 {
		errs = append(errs, o.besideFile())
	}
	switch {
	case len(named) > 1:
		errs = append(errs, fmt.Errorf("--%s and --%s exclude each other", named[0], named[1]))
	case len(named) == 0 && len(o.upstreams) > 0:
		errs = append(errs, errors.New("--upstream needs a balancer's file, such as --nginx FILE"))
	case len(named) == 0 && len(changed(cmd, clusterSection)) == 0:
		errs = append(errs, errors.New("there is no source: name the balancer's file with --nginx, --apache, --haproxy, --caddy, --traefik, --envoy, "+
			"--kubernetes or --mod-jk, or describe a cluster with --balancer URL --node ID=URL --node ID=URL"))
	}
	return errors.Join(errs...)
}

// besideFile validates the flags that go with a file by the rules of the configuration.
func (o *initOptions) besideFile() error {
	f := config.Flags{Balancer: o.clusters.quick.Balancer, Profile: o.clusters.quick.Profile, Nodes: []string{"node=http://node"}}
	if len(f.Balancer) == 0 {
		f.Balancer = []string{"http://balancer"}
	}
	_, err := config.FromFlags(f)
	return err
}

// named returns the products whose file the call names.
func (o *initOptions) named(cmd *cobra.Command) []importer.Product {
	return slices.DeleteFunc(slices.Clone(importer.Products), func(p importer.Product) bool { return !cmd.Flags().Changed(string(p)) })
}

// readConfiguration imports the balancer's file, or takes the cluster of the flags.
func (o *initOptions) readConfiguration(cmd *cobra.Command, c console) (*importer.Import, error) {
	named := o.named(cmd)
	if len(named) == 0 {
		return importer.FromFlags(o.clusters.quick)
	}
	return importer.Read(named[0], *o.files[named[0]], importer.Options{
		Upstreams: o.upstreams,
		Profile:   o.clusters.quick.Profile,
		Balancer:  o.clusters.quick.Balancer,
		Stdin:     c.in,
	})
}

// A target is the output of init.
type target struct {
	file    string // "-": standard output
	replace bool   // an existing file
}

const standardOutput = "-"

func newTarget(file string, replace bool) target { return target{file, replace} }

// free returns an error if the file exists and may not be replaced.
func (t target) free() error {
	if t.file == standardOutput {
		return nil
	}
	switch info, err := os.Lstat(t.file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for %q: %w", t.file, err)
	case info.IsDir():
		return fmt.Errorf("%q is a directory: name the file in it with -o FILE", t.file)
	case !t.replace:
		return fmt.Errorf("%q exists already: --force replaces it, -o FILE writes another file, -o - prints to standard output", t.file)
	}
	return nil
}

// write writes the configuration and returns it. If it goes to a file, write prints a
// summary.
func (t target) write(c console, text []byte, found *importer.Import, reader phrase.Reader) (*config.Config, error) {
	if t.file == standardOutput {
		cfg, err := config.Parse(defaultFile, text, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		_, err = c.out.Write(text)
		return cfg, err
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if t.replace {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(t.file, mode, 0o644) //nolint:gosec // the file has no secrets
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("writing %q: %w", t.file, e.Err)
	} else if err != nil {
		return nil, fmt.Errorf("writing %q: %w", t.file, err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("writing %q: %w", t.file, err)
	}
	cfg, err := config.Load(t.file)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(c.out, reader.Translate("%s was written: %s (%s), %s; next: stickwatch probe%s", t.file, reader.Count(len(cfg.Clusters), "cluster", "clusters"),
		clusterNames(cfg), reader.Count(len(found.Guesses(reader)), "guess to review", "guesses to review"), t.flag()))
	return cfg, err
}

// besides returns the output for what is not the configuration.
func (t target) besides(c console) *os.File {
	if t.file == standardOutput {
		return c.err
	}
	return c.out
}

// flag returns the flag that names the file to other commands.
func (t target) flag() string {
	if t.file == defaultFile {
		return ""
	}
	return " -c " + t.file
}
