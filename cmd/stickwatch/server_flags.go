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
	"stickwatch/internal/wire"
)

// serverFlags select the daemon of a command and the credentials.
type serverFlags struct {
	server       setting[*url.URL] // nil: from the configuration
	username     string
	passwordFile string
	tokenFile    string
	caFile       string
}

// serverSection has the flags of serverFlags.
var serverSection = section{"Daemon", []string{"server", "username", "password-file", "token-file", "ca-file"}}

// defaultServer is the default address of serve.
const defaultServer = "127.0.0.1:9748"

func (f *serverFlags) register(cmd *cobra.Command) {
	f.server = newSetting("", serverURL)
	flags := cmd.Flags()
	flags.Var(&f.server, "server", "`URL` of the daemon, which may have user:password@, or unix:// and the path of its admin socket (default: that socket if it may be opened, else listen of the file, else http://"+defaultServer+")")
	flags.StringVar(&f.username, "username", "", "`NAME` of a user in its --web.config.file")
	flags.StringVar(&f.passwordFile, "password-file", "", "`FILE` with the password of the user")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with a token from stickwatch token --bearer")
	flags.StringVar(&f.caFile, "ca-file", "", "`FILE` with the authority of its certificate, in PEM")
}

// serverURL parses the URL of a daemon.
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

// validate returns all errors in the flags.
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
		errs = append(errs, errors.New("--token-file and a user exclude each other"))
	case f.server.value != nil && f.server.value.Scheme == "unix" && user+f.tokenFile+f.caFile != "":
		errs = append(errs, errors.New("--server: an admin socket needs no user, token or certificate: omit them"))
	case inURL && user != "":
		errs = append(errs, errors.New("--server with a user excludes --username and --password-file"))
	case (f.username == "") != (f.passwordFile == ""):
		errs = append(errs, errors.New("--username and --password-file go together"))
	}
	return errors.Join(errs...)
}

// hidePassword replaces everything before "@" in a URL, which may be malformed.
func hidePassword(text string) string {
	if _, after, ok := strings.Cut(text, "@"); ok {
		return "***@" + after
	}
	return text
}

// client returns a client of the daemon that the flags name, else of the one in cfg, which
// may be nil. It prefers the admin socket of a daemon on this machine, unless the flags
// have credentials.
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

// adminSocket returns the path of the admin socket of the daemon at base; "" if the daemon
// is not on this machine, the socket cannot be opened, or the flags have credentials.
func (f *serverFlags) adminSocket(ctx context.Context, base *url.URL, cfg *config.Config) string {
	if base.User != nil || f.username+f.tokenFile+f.caFile != "" || base.Scheme != "http" || strings.Trim(base.Path, "/") != "" || !thisMachine(base.Hostname()) {
		return ""
	}
	paths := []string{filepath.Join(config.RunDirectory, "admin.sock")} // of the systemd unit
	if cfg != nil {
		paths = append([]string{cfg.AdminSocket()}, paths...)
	}
	for _, path := range paths {
		var admin wire.Admin
		ctx, cancel := context.WithTimeout(ctx, socketTimeout)
		err := newSocketClient(path).call(ctx, http.MethodGet, "/-/admin", nil, &admin)
		cancel()
		if _, port, _ := net.SplitHostPort(admin.Listen); err == nil && port == cmp.Or(base.Port(), "80") {
			return path
		}
	}
	return ""
}

// socketTimeout bounds the check that a socket belongs to the daemon.
const socketTimeout = 2 * time.Second

// thisMachine reports whether a host is localhost or a loopback address.
func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// listenOf returns the address of the daemon of a configuration; "" for nil.
func listenOf(cfg *config.Config) string {
	if cfg == nil {
		return ""
	}
	return cfg.Listen
}

// roots returns the authorities of --ca-file; nil, which means the system's, without it.
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

// readSecret returns the first line of the file that a flag names.
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

// dialable returns an address to connect to for a listening address; localhost for the
// unspecified address.
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

// configurationOf returns the configuration of a daemon; nil if no file is named and the
// default file does not exist. Errors suggest --server, which needs no file.
func configurationOf(cmd *cobra.Command, file string) (*config.Config, error) {
	if !cmd.Flags().Changed("config") {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	cfg, err := loadFile(file, "name one with -c FILE, or the daemon with --server URL")
	if err != nil {
		return nil, withRemedy(err, "the file has the address of the daemon; --server URL needs no file")
	}
	return cfg, nil
}

// configurationIfAny returns the configuration of a file; nil if it cannot be read. It
// serves to find the admin socket of a daemon whose URL is known.
func configurationIfAny(file string) *config.Config {
	cfg, err := config.Load(file)
	if err != nil {
		return nil
	}
	return cfg
}

// withRemedy adds a remedy to problems of a configuration. The reason may be that only the
// daemon may read its secrets.
func withRemedy(err error, remedy string) error {
	if _, ok := errors.AsType[config.Problems](err); ok {
		return errors.Join(err, errors.New(remedy))
	}
	return err
}

// daemonFlags select the daemon of a command, by flags or by its configuration file.
type daemonFlags struct {
	file   string
	server serverFlags

	configured *config.Config // set by client; nil: there is none
}

// daemonSection has the flags of daemonFlags.
var daemonSection = section{serverSection.title, append(slices.Clone(serverSection.names), "config")}

func (f *daemonFlags) register(cmd *cobra.Command) {
	f.server.register(cmd)
	cmd.Flags().StringVarP(&f.file, "config", "c", defaultFile, "configuration `FILE` of the daemon, which has its address")
	_ = cmd.MarkFlagFilename("config", "yml", "yaml")
}

func (f *daemonFlags) client(cmd *cobra.Command) (*apiClient, error) {
	if f.server.server.value != nil {
		f.configured = configurationIfAny(f.file)
		return f.server.client(cmd.Context(), f.configured)
	}
	var err error
	if f.configured, err = configurationOf(cmd, f.file); err != nil {
		return nil, err
	}
	return f.server.client(cmd.Context(), f.configured)
}
