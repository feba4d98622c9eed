package render

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The rules of the plugin guidelines: one line of a status, a text, and performance data,
// https://www.monitoring-plugins.org/doc/guidelines.html#AEN201.
var (
	nagiosRule   = regexp.MustCompile(`^STICKWATCH (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+(?: \| ([^|\n]+))?\n$`)
	perfdataRule = regexp.MustCompile(`^(?:'[^'=|]+'=(?:U|-?[0-9]+(?:\.[0-9]+)?(?:s|%)?)(?:;[0-9]*){0,4}(?: |$))+$`)
)

// TestNagiosGuidelines: every result is a line that follows the guidelines, whatever the
// target says, and short enough for NRPE.
func TestNagiosGuidelines(t *testing.T) {
	for name, all := range reports {
		r, opts := shown(all()...)
		line := rendered(t, "nagios", r, opts)
		m := nagiosRule.FindStringSubmatch(line)
		switch {
		case m == nil:
			t.Errorf("%s: got %q, want one line", name, line)
		case m[1] != r.Nagios().String():
			t.Errorf("%s: got %s, want %s", name, m[1], r.Nagios())
		case len(r.Clusters) > 0 && !perfdataRule.MatchString(m[2]):
			t.Errorf("%s: got the performance data %q", name, m[2])
		case strings.Index(line, " | ") > 1024:
			t.Errorf("%s: got a text of %d bytes", name, strings.Index(line, " | "))
		}
	}
}

var (
	nagiosMore   = regexp.MustCompile(`\(and (\d+) more\)`)
	nagiosCounts = regexp.MustCompile(`(?:critical|warnings)'=(\d+)`)
)

// TestNagiosCounts: the text counts as many findings as the performance data.
func TestNagiosCounts(t *testing.T) {
	counted := 0
	for name, all := range reports {
		r, opts := shown(all()...)
		line := rendered(t, "nagios", r, opts)
		more := nagiosMore.FindStringSubmatch(line)
		if len(r.Clusters) != 1 || more == nil {
			continue
		}
		numbers := 0
		for _, m := range nagiosCounts.FindAllStringSubmatch(line, -1) {
			n, _ := strconv.Atoi(m[1])
			numbers += n
		}
		if want := strconv.Itoa(numbers - 1); more[1] != want {
			t.Errorf("%s: the text has %s more, want %s: %s", name, more[1], want, line)
		}
		counted++
	}
	if counted == 0 {
		t.Error("no report has several findings")
	}
}
