package importer

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// maxFileName limits the length of a displayed file name, in bytes.
const maxFileName = 300

// A position is a line of a file.
type position struct {
	file string
	line int // from 1; 0: the whole file
}

func (p position) String() string { return p.In(phrase.Reader{}) }

// In returns the position for a reader.
func (p position) In(r phrase.Reader) string {
	file := probes.Clean(p.file, maxFileName) // file names in a dump are untrusted
	if file == standardInput {
		file = r.Translate("standard input")
	}
	if p.line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(p.line)
}

// withPosition prefixes text with the position, if there is one.
func (p position) withPosition(text phrase.Phrase) phrase.Phrase {
	if p.file == "" {
		return text
	}
	return phrase.New("%s: %s", p, text)
}

// remark returns a phrase with the position.
func (p position) remark(text string, args ...any) phrase.Phrase {
	return p.withPosition(phrase.New(text, args...))
}

// errorf returns an error that begins with the position, in the format of compilers.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// A directive is a statement of a configuration of any product: a name, unquoted
// arguments, and optionally a block of directives.
type directive struct {
	position
	name    string
	written string // the name as in the file, if it differs
	args    []string
	block   []directive
}

// text returns a directive as in the file, for messages.
func (d directive) text() string {
	return probes.Clean(strings.Join(append([]string{cmp.Or(d.written, d.name)}, d.args...), " "), 80)
}

// arg returns the argument of that index; "" if there is none.
func (d directive) arg(i int) string {
	if i >= 0 && i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// among iterates over the directives of a block with one of the names.
func among(block []directive, names ...string) iter.Seq[directive] {
	return func(yield func(directive) bool) {
		for _, d := range block {
			for _, name := range names {
				if d.name == name && !yield(d) {
					return
				}
			}
		}
	}
}

// last returns the last directive of that name in a block, which is the effective one
// where a product allows repetition.
func last(block []directive, name string) (d directive, ok bool) {
	for found := range among(block, name) {
		d, ok = found, true
	}
	return d, ok
}

var errLoadFactor = errors.New("expected a number from 1 to 100")

// atLeast parses a whole number with a lower bound.
func atLeast(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return least, fmt.Errorf("expected a whole number, at least %d", least)
	}
	return n, nil
}

var hostName = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.-]*$`)

// validAddress reports whether text is HOST or HOST:PORT, IPv6 in brackets.
func validAddress(text string) bool {
	host := text
	if name, port, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = strings.TrimSuffix(text, ":"+port)
		if name == host { // without brackets
			return hostName.MatchString(host)
		}
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		return err == nil && ip.Is6() && ip.Zone() == "" && strings.HasSuffix(inside, "]")
	}
	return hostName.MatchString(host)
}

// splitAddress splits HOST:PORT; the port may be missing. The host is "" for a
// wildcard, such as in :80, *:80 and [::]:80.
func splitAddress(text string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host = strings.Trim(text, "[]")
	}
	if ip, err := netip.ParseAddr(host); host == "*" || err == nil && ip.IsUnspecified() {
		host = ""
	}
	return host, port
}

// webAddress returns an http or https address, without the default port.
func webAddress(scheme, host, port string) string {
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// public reports whether users may use a host name: it is neither an address nor local.
func public(name string) bool {
	if isIP(name) {
		return false
	}
	if name == "localhost" || strings.ContainsAny(name, "*~^$_ ") || strings.HasPrefix(name, ".") {
		return false
	}
	return validAddress(name) && strings.Contains(name, ".")
}

// isIP reports whether a host is an address.
func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// someName returns the first of the names that users may use: a public one, else the
// domain of .DOMAIN, else a guess for *.DOMAIN. guess says why it may be wrong.
func someName(names []string) (name string, guess phrase.Phrase) {
	for _, name := range names {
		if public(name) {
			return name, phrase.Phrase{}
		}
	}
	for _, name := range names {
		if domain, ok := strings.CutPrefix(name, "."); ok && public(domain) {
			return domain, phrase.Phrase{}
		}
		if domain, ok := strings.CutPrefix(name, "*."); ok && public(domain) {
			return "www." + domain, phrase.New("one of the names %s: write the address for users", name)
		}
	}
	return "", phrase.Phrase{}
}

// isVariable reports whether an address contains a variable or a placeholder of a
// template, so that its value is not in the file.
func isVariable(text string) bool {
	return strings.ContainsAny(text, "$") || strings.Contains(text, "{{") || strings.Contains(text, "<%") || strings.Contains(text, "{%") ||
		placeholder.MatchString(text)
}

// notKnown says why an address with a variable or placeholder is not known.
func notKnown(text string) phrase.Phrase {
	if strings.Contains(text, "$") {
		return phrase.New("%s is a variable", text)
	}
	return phrase.New("%s is a placeholder", text)
}

// placeholder matches words that scripts replace: @NAME@, %NAME%, __NAME__, <NAME>, {NAME}.
var placeholder = regexp.MustCompile(`@\w+@|%\w+%|__[A-Za-z]\w*__|<[\w -]+>|\{[$A-Za-z_][\w.:-]*\}`)
