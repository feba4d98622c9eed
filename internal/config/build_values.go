package config

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// The supported schemes of addresses.
var (
	web      = []string{"http", "https"}
	services = []string{"redis", "rediss", "redis+sentinel", "mysql", "postgres", "memcached", "tcp", "http", "https"}
)

// url parses an address with one of the schemes; nil for "". It returns nil and reports
// an error for an invalid address.
func (b *builder) url(at keyPath, text string, schemes []string) *url.URL {
	if text == "" {
		return nil
	}
	u, err := parseURL(text, schemes)
	if err != nil {
		b.problem(at, "%s %s", b.valueText(at, text), err)
		return nil
	}
	return u
}

// public parses an address that is shown in messages.
func (b *builder) public(at keyPath, text string) *url.URL {
	u := b.url(at, text, web)
	if u != nil && u.User != nil {
		b.problem(at, "%s has a user name or password, which every message would show", b.valueText(at, text))
		return nil
	}
	return u
}

// server parses an address of the balancer or a node: host, port, and a path prefix.
// Credentials are rejected because they would appear in every report.
func (b *builder) server(at keyPath, text string) *url.URL {
	u := b.url(at, text, web)
	switch {
	case u == nil:
		return nil
	case u.User != nil:
		b.problem(at, "%s has a user name or password, which this address cannot have", b.valueText(at, text))
	case u.RawQuery != "" || u.ForceQuery:
		b.problem(at, "%s has a query, which this address cannot have", b.valueText(at, text))
	default:
		return u
	}
	return nil
}

// parseURL is url.Parse for addresses of servers. Its errors continue a message that
// ends with the quoted text, and contain no part of it but the scheme, because the rest may
// include a password.
func parseURL(text string, schemes []string) (*url.URL, error) {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok || strings.Contains(scheme, "@") {
		return nil, errors.New("has no scheme: expected " + list(endWith(schemes, "://")))
	}
	if !slices.Contains(schemes, scheme) {
		return nil, errors.New("has an " + unknown("scheme", scheme, schemes))
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, strings.Contains(u.Path, "@"): // an @ in the path: the password contains a slash
		return nil, errors.New("is not a URL: expected " + scheme + "://HOST:PORT")
	case u.Hostname() == "":
		return nil, errors.New("has no host: expected " + scheme + "://HOST:PORT")
	case u.Port() != "" && validPort(u.Port()) != nil: // not quoted: it is the password of redis://user:99999
		return nil, errors.New("has a port that is not a number from 1 to 65535")
	case scheme == "tcp" && u.Port() == "":
		return nil, errors.New("has no port: expected tcp://HOST:PORT")
	case scheme == "redis+sentinel" && strings.Trim(u.Path, "/") == "":
		return nil, errors.New("names no primary: expected redis+sentinel://HOST:PORT/PRIMARY")
	case scheme == "redis+sentinel" && slices.ContainsFunc(u.Query()["sentinel"], func(a string) bool { _, _, err := net.SplitHostPort(a); return err != nil }):
		return nil, errors.New("has a parameter sentinel that is not HOST:PORT")
	case strings.Contains(text, "#"):
		return nil, errors.New("has a #fragment, which no server gets to see")
	}
	return u, nil
}

// path returns text, and reports a problem unless it is a path with an optional query.
func (b *builder) path(at keyPath, text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return ""
	case !strings.HasPrefix(text, "/"):
		b.problem(at, "expected a path that begins with /, got %s", b.valueText(at, text))
	case err != nil || u.Host != "" || u.Fragment != "":
		b.problem(at, "expected a path on the server, got %s", b.valueText(at, text))
	}
	return text
}

// maxReferencedFile limits the size of a file that a configuration refers to, in bytes.
// Bundles of certificates are the largest.
const maxReferencedFile = 1 << 20

// valueOrFile returns the value of a key, or the contents of the file that KEY_file
// names, with the path of the key that is used.
func (b *builder) valueOrFile(at keyPath, key, value, path string) (string, keyPath) {
	own, beside := at.key(key), at.key(key+"_file")
	b.read = append(b.read, value)
	switch {
	case path == "":
		return value, own
	case value != "":
		b.problem(beside, "expected %s or %s_file, got both", key, key)
		return value, own
	}
	text, ok := b.file(beside, path)
	if ok && text == "" {
		b.problem(beside, "the file %s is empty", b.valueText(beside, path))
	}
	return text, beside
}

// file returns the contents of a file, without leading and trailing white space.
func (b *builder) file(at keyPath, path string) (string, bool) {
	path = b.inDir(path)
	text, err := readFile(path, maxReferencedFile)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // the message quotes the path already, or its variable if it came from the environment
		}
		b.problem(at, "reading %s: %s", b.valueText(at, path), err)
		return "", false
	}
	b.read = append(b.read, string(text))
	return strings.TrimSpace(string(text)), true
}

// inDir returns the path of a file that is relative to the configuration file.
func (b *builder) inDir(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.dir, path)
}

var (
	errTooLarge  = errors.New("the file is too large")
	errIrregular = errors.New("not a file or a pipe")
)

// readFile is os.ReadFile with a limit: a larger file is an error. It supports pipes,
// as in <(command). A pipe without a writer is empty and does not block. Devices are
// errors.
func readFile(path string, most int64) ([]byte, error) {
	const special = fs.ModeDevice | fs.ModeSocket | fs.ModeIrregular
	if info, err := os.Stat(path); err == nil && info.Mode()&special != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errIrregular}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = errTooLarge
	}
	return data, err
}
