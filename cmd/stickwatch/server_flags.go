package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/config"
)

// serverFlags say which daemon a command talks to, and as whom.
type serverFlags struct {
	server       setting[*url.URL] // nil: the one of the configuration
	username     string
	passwordFile string
	tokenFile    string
	caFile       string
}

// serverSection are the flags of serverFlags.
var serverSection = section{"Which daemon", []string{"server", "username", "password-file", "token-file", "ca-file"}}

// defaultServer is where serve answers if nobody says otherwise.
const defaultServer = "127.0.0.1:9748"

func (f *serverFlags) register(cmd *cobra.Command) {
	f.server = newSetting("", serverURL)
	flags := cmd.Flags()
	flags.Var(&f.server, "server", "the daemon's `URL`, which may have user:password@, or unix:// and the path of its admin socket (default: that socket where it may be opened, else listen of the file, else http://"+defaultServer+")")
	flags.StringVar(&f.username, "username", "", "the `NAME` of a user that its --web.config.file knows")
	flags.StringVar(&f.passwordFile, "password-file", "", "`FILE` with that user's password")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with a token that stickwatch token --bearer printed there")
	flags.StringVar(&f.caFile, "ca-file", "", "`FILE` with the authority, in PEM, that its certificate is of")
}

// serverURL parses where a daemon is.
func serverURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err == nil && u.Scheme == "unix" && u.Host == "" && u.Path != "" && u.User == nil {
		return u, nil
	}
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("a URL such as http://" + defaultServer + ", https://stickwatch.example or unix:///run/stickwatch/admin.sock")
	}
	return u, nil
}

// validate are what is wrong before any file is looked at.
func (f *serverFlags) validate(cmd *cobra.Command) error {
	var errs []error
	if err := f.server.usageError("server"); err != nil {
		f.server.text = hidePassword(f.server.text)
		errs = append(errs, f.server.usageError("server"))
	}
	for _, flag := range []struct{ name, value string }{
		{"username", f.username}, {"password-file", f.passwordFile}, {"token-file", f.tokenFile}, {"ca-file", f.caFile},
	} {
		if cmd.Flags().Changed(flag.name) && isEmptyValue(flag.value) {
			errs = append(errs, emptyFlag(flag.name))
		}
	}
	user := f.username + f.passwordFile
	inURL := f.server.value != nil && f.server.value.User != nil
	switch {
	case f.tokenFile != "" && (inURL || user != ""):
		errs = append(errs, errors.New("--token-file: a user is named, too: leave one of them out"))
	case f.server.value != nil && f.server.value.Scheme == "unix" && user+f.tokenFile+f.caFile != "":
		errs = append(errs, errors.New("--server: whoever may open an admin socket needs no user, token or certificate: leave them out"))
	case inURL && user != "":
		errs = append(errs, errors.New("--server: names a user, and so do --username and --password-file: leave one of them out"))
	case (f.username == "") != (f.passwordFile == ""):
		errs = append(errs, errors.New("--username and --password-file go together"))
	}
	return errors.Join(errs...)
}

// hidePassword is a URL that may not be one, without what stands before its "@".
func hidePassword(text string) string {
	if _, after, ok := strings.Cut(text, "@"); ok {
		return "***@" + after
	}
	return text
}

// client returns a client of the daemon that the flags name, else of the one of a
// configuration; nil: there is none. A daemon of this machine is asked by its admin
// socket, where that may be opened and nobody says as whom else to ask.
func (f *serverFlags) client(ctx context.Context, cfg *config.Config) (*apiClient, error) {
	roots, err := f.roots()
	if err != nil {
		return nil, err
	}
	base := f.server.value
	if base != nil && base.Scheme == "unix" {
		return newSocketClient(base.Path), nil
	}
	if base == nil {
		base = &url.URL{Scheme: "http", Host: dialable(cmp.Or(listenOf(cfg), defaultServer))}
		if f.caFile != "" {
			base.Scheme = "https"
		}
	}
	if path := f.adminSocket(ctx, base, cfg); path != "" {
		return newSocketClient(path), nil
	}
	bare := *base
	bare.User = nil
	client := newAPIClient(bare, roots)
	if base.User != nil {
		client.username = base.User.Username()
		client.password, _ = base.User.Password()
	}
	if f.username != "" {
		client.username = f.username
		client.password, err = readSecret("password-file", f.passwordFile)
	}
	if f.tokenFile != "" {
		client.token, err = readSecret("token-file", f.tokenFile)
	}
	return client, err
}

// adminSocket is the path of the admin socket of the daemon at base; "": that is
// not on this machine, its socket may not be opened, or the flags say as whom to ask.
func (f *serverFlags) adminSocket(ctx context.Context, base *url.URL, cfg *config.Config) string {
	if base.User != nil || f.username+f.tokenFile+f.caFile != "" || base.Scheme != "http" || strings.Trim(base.Path, "/") != "" || !thisMachine(base.Hostname()) {
		return ""
	}
	paths := []string{filepath.Join(config.RunDirectory, "admin.sock")} // of the unit for systemd
	if cfg != nil {
		paths = append([]string{cfg.AdminSocket()}, paths...)
	}
	for _, path := range paths {
		var its struct{ Listen string }
		ctx, cancel := context.WithTimeout(ctx, socketPatience)
		err := newSocketClient(path).call(ctx, http.MethodGet, "/-/admin", nil, &its)
		cancel()
		if _, port, _ := net.SplitHostPort(its.Listen); err == nil && port == cmp.Or(base.Port(), "80") {
			return path
		}
	}
	return ""
}

// socketPatience bounds the look whether a socket is of the daemon that is meant.
const socketPatience = 2 * time.Second

// thisMachine reports whether a host is a loopback address or a name of one.
func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listenOf is where the daemon of a configuration listens; "" where there is none.
func listenOf(cfg *config.Config) string {
	if cfg == nil {
		return ""
	}
	return cfg.Listen
}

// roots are the authorities of --ca-file; nil: those of the system.
func (f *serverFlags) roots() (*x509.CertPool, error) {
	if f.caFile == "" {
		return nil, nil
	}
	content, err := os.ReadFile(f.caFile)
	if err != nil {
		return nil, fmt.Errorf("--ca-file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("--ca-file: there is no certificate in PEM in %q", f.caFile)
	}
	return roots, nil
}

// readSecret is the first line of the file that a flag names.
func readSecret(flag, file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", flag, err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("--%s: the first line of %q is empty", flag, file)
	}
	return line, nil
}

// dialable is an address to listen at as one to go to: who listens at every
// address of the machine is found at this one.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// configurationOf is the configuration of a daemon; nil when no file is named and
// there is none of the usual name. An error says that --server does without the
// file.
func configurationOf(cmd *cobra.Command, file string) (*config.Config, error) {
	if !cmd.Flags().Changed("config") {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	cfg, err := loadFile(file, "name one with -c FILE, or the daemon with --server URL")
	if err != nil {
		return nil, withRemedy(err, "where the daemon listens is read from that file: --server URL does without it")
	}
	return cfg, nil
}

// configurationIfAny is the configuration of a file, of which only the admin socket
// is wanted, for a daemon that is named already; nil: it cannot be read.
func configurationIfAny(file string) *config.Config {
	cfg, err := config.Load(file)
	if err != nil {
		return nil
	}
	return cfg
}

// withRemedy adds to mistakes in a configuration how to do without it. They may
// be that its secrets are for the daemon alone.
func withRemedy(err error, remedy string) error {
	if _, ok := errors.AsType[config.Problems](err); ok {
		return errors.Join(err, errors.New(remedy))
	}
	return err
}

// daemonFlags say which daemon a command talks to, by a file if need be.
type daemonFlags struct {
	file   string
	server serverFlags
}

// daemonSection are the flags of daemonFlags.
var daemonSection = section{serverSection.title, append(slices.Clone(serverSection.names), "config")}

func (f *daemonFlags) register(cmd *cobra.Command) {
	f.server.register(cmd)
	cmd.Flags().StringVarP(&f.file, "config", "c", defaultFile, "the daemon's configuration `FILE`, read for where it listens")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
}

// client returns a client of the daemon.
func (f *daemonFlags) client(cmd *cobra.Command) (*apiClient, error) {
	if f.server.server.value != nil {
		return f.server.client(cmd.Context(), configurationIfAny(f.file))
	}
	cfg, err := configurationOf(cmd, f.file)
	if err != nil {
		return nil, err
	}
	return f.server.client(cmd.Context(), cfg)
}
