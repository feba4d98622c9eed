package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"stickwatch/alerting/shoutrrr"
)

var (
	// secretKey matches keys of secrets with their values in the text of the file,
	// because secrets must not be shown even if the file cannot be parsed.
	secretKey = regexp.MustCompile(`(?i)([\w-]*(?:token|bearer|secret|passw?|pas+wo|pwd|credential|webhook_url|heartbeat)[\w-]*)["']?\s*[:=]\s*` +
		`("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|(?:\$\{[^}]*\}|[^\s,}\]])(?:\$\{[^}]*\}|[^,}\]])*)`)
	// userinfo matches the part before the host in a URL; greedy, because a password
	// may contain an @.
	userinfo = regexp.MustCompile(`://([^\s]*)@`)
	// urlKey matches keys of addresses and the text up to the last @ of the line,
	// because the password may be anywhere in an invalid address.
	urlKey = regexp.MustCompile(`(?i)(?:\b[\w-]*url|haproxy_stats|apache_status|apache_balancer_manager|caddy_admin)["']?\s*[:=]\s*` +
		`[\["'\s]*(?:[a-z][a-z0-9+.-]*://)?(.*)@`)
	// heartbeatKey matches the rest of a line with the heartbeat, whose address is a secret.
	heartbeatKey = regexp.MustCompile(`\bheartbeat["']?\s*[:=]\s*(\S.*)`)
	// headersKey matches the rest of a line with headers or fields of a form, of which any may be
	// a credential, also if the key is misspelt.
	headersKey = regexp.MustCompile(`\b(?:headers|fields?)["']?\s*[:=]\s*(\S.*)`)
	// accountKey matches the rest of a line with an account, in which a key may be misspelt.
	accountKey = regexp.MustCompile(`\b(?:header|form|json|basic_?auth)["']?\s*[:=]\s*(\{.*)`)
	// serviceURL matches a service URL without its scheme. All of it may be a secret.
	serviceURL = regexp.MustCompile(`(?i)\b(?:` + strings.Join(shoutrrr.Schemes(), "|") + `)://([^\s,"'}]+)`)
	// address matches the part before the last @ of a text that should be a URL.
	address = regexp.MustCompile(`(?s)^\s*(?:[A-Za-z][A-Za-z0-9+.-]*://)?(.*)@`)
)

// A span is a part of a line, in bytes.
type span struct{ from, to int }

// mask hides spans of a line, and returns the new position of the character at column
// (from 0).
func mask(line string, column int, secrets []span) (masked string, caret int) {
	at := byteOffset(line, column)
	var out strings.Builder
	done := 0
	for _, s := range secrets {
		if s.from < done { // overlaps the previous span
			done = max(done, s.to)
			continue
		}
		out.WriteString(line[done:s.from])
		if done <= at && at <= s.from {
			caret = utf8.RuneCountInString(out.String()) - utf8.RuneCountInString(line[at:s.from])
		} else if s.from < at && at < s.to {
			caret = utf8.RuneCountInString(out.String())
		}
		out.WriteString(redacted)
		done = s.to
	}
	out.WriteString(line[done:])
	if at >= done {
		caret = utf8.RuneCountInString(out.String()) - utf8.RuneCountInString(line[at:])
	}
	return out.String(), caret
}

// secretSpans returns the spans of a line that may contain secrets, in order: values of
// secret keys, credentials in URLs, and hidden text.
func secretSpans(line string, hidden []string) []span {
	var spans []span
	for _, m := range secretKey.FindAllStringSubmatchIndex(line, -1) {
		key, value := line[m[2]:m[3]], strings.TrimSpace(line[m[4]:m[5]])
		if !strings.HasSuffix(strings.ToLower(key), "_file") && !wholeVariable.MatchString(value) {
			spans = append(spans, span{m[4], m[4] + len(value)})
		}
	}
	for _, credentials := range []*regexp.Regexp{userinfo, urlKey, heartbeatKey, headersKey, accountKey, serviceURL} {
		for _, m := range credentials.FindAllStringSubmatchIndex(line, -1) {
			spans = append(spans, span{m[2], m[3]})
		}
	}
	for _, text := range hidden {
		for from := 0; text != ""; {
			i := strings.Index(line[from:], text)
			if i < 0 {
				break
			}
			spans = append(spans, span{from + i, from + i + len(text)})
			from += i + len(text)
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	return spans
}

// byteOffset returns the byte position of the character at column (from 0).
func byteOffset(line string, column int) int {
	for i := range line {
		if column == 0 {
			return i
		}
		column--
	}
	return len(line)
}

// inSecret reports whether line number at (from 0) continues the value of a secret key:
// a block scalar, or a value on its own line.
func inSecret(lines []string, at int) bool {
	own := indentation(lines[at])
	for i := at - 1; i >= 0; i-- {
		line := lines[i]
		if text := strings.TrimSpace(line); text == "" || text[0] == '#' || indentation(line) >= own {
			continue
		}
		return secretKey.MatchString(line+" |") || headersKey.MatchString(line+" |") || strings.Contains(lines[at], "@") && urlKey.MatchString(line+" @")
	}
	return false
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// quote quotes text for a message: on one line, secrets masked, cut.
func quote(text string) string {
	const most = 60
	return `"` + oneLine(text, most) + `"`
}

// quoteURL is quote for text that should be a URL: the part before its last @ may be a
// password.
func quoteURL(text string) string {
	if m := address.FindStringSubmatchIndex(text); m != nil {
		text = text[:m[2]] + redacted + text[m[3]:]
	}
	return quote(text)
}

// isURL reports whether a key is an address.
func isURL(at keyPath) bool {
	return urlKey.MatchString(at.last()+": @") || urlKey.MatchString(at.parent().last()+": @")
}

// oneLine returns text without control characters, secrets masked, cut to a number of
// characters.
func oneLine(text string, most int) string {
	text, _ = mask(text, 0, secretSpans(text, nil))
	text = strings.Map(printable, text)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "..."
	}
	return text
}

func printable(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return ' '
	case r < ' ', r == 0x7f, 0x80 <= r && r < 0xa0, 0x202a <= r && r <= 0x202e, 0x2066 <= r && r <= 0x2069:
		return -1
	default:
		return r
	}
}
