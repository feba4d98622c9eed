package render

import (
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/probes"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"plain", "node1", 48, "node1"},
		{"white space", " a\tb\r\n c\u2028d\u00a0e ", 48, "a b c d e"},
		{"escape sequences lose their power", "\x1b[31mred\x1b]0;title\a\u009b2J", 48, "[31mred]0;title2J"},
		{"right to left", "abc\u202egnp.exe\u2066", 48, "abcgnp.exe"},
		{"invisible", "ad\u200bmin\ufeff\ue000\ufffe", 48, "admin"},
		{"not UTF-8", "a\xffb", 48, "a\ufffdb"},
		{"too long", "abcdefgh", 5, "abcd…"},
		{"columns, not characters", "应用服务器一", 7, "应用服…"},
		{"marks piled up", "a" + strings.Repeat("\u0301", 1000), 2, "a" + strings.Repeat("\u0301", 7) + "…"},
		{"empty", "\x00\x1b", 5, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clean(tt.in, tt.limit); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	for _, tt := range []struct{ answers, want string }{
		{"a", "a"},
		{"a a a", "a ×3  ✓ kept"},
		{"a a a b b", "a ×3 → b ×2  ✓ kept"},
		{"a a b/2 b", "a ×2 → b* ×2  ✗ lost (* a new session)"},
		{"a a a/2 a", "a ×2 → a* ×2  ✗ lost (* a new session)"},
		{"a !502 !502 a", "a → ✗ 502 ×2 → a  ✓ kept"},
		{"!502 !502", "✗ 502 ×2"},
		{strings.Repeat("a b ", 8), "a → b → a → b → a → b → a → b → a → b → a → b → … 4 more changes  ✓ kept"},
	} {
		p := &report{}
		p.addCanary("client", tt.answers)
		expect.Equal(t, tt.answers, tt.want, join(formatter{}.traceSpans(p.Session.Canaries[0])))
	}
	expect.Equal(t, "no steps", "? no answer", join(formatter{}.traceSpans(checks.CanaryTrace{})))
}

func TestSessionAnswers(t *testing.T) {
	canaries := healthyReport("shop", "node1", "node2").Session.Canaries
	for _, tt := range []struct {
		name    string
		session checks.SessionReport
		want    string
	}{
		{"no test", checks.SessionReport{}, ""},
		{"no policy", checks.SessionReport{Policy: probes.PolicyNone, Sticky: checks.No}, ""},
		{
			"sticky",
			checks.SessionReport{Policy: probes.PolicySticky, Sticky: checks.Yes, Confidence: 0.9992, Canaries: canaries},
			"✓ sticky: yes, 99.92 % sure (2 canaries, 7 follow-ups each)",
		},
		{
			"never quite sure",
			checks.SessionReport{Policy: probes.PolicySticky, Sticky: checks.Yes, Confidence: 1, Canaries: canaries[:1]},
			"✓ sticky: yes, over 99.99 % sure (1 canary, 7 follow-ups)",
		},
		{
			"drift",
			checks.SessionReport{Policy: probes.PolicySticky, Sticky: checks.No, Reason: checks.Quote("one moved")},
			"✗ sticky: no; one moved",
		},
		{
			"unknown",
			checks.SessionReport{Policy: probes.PolicyReplicated, Reason: checks.Quote("no labels"), Shared: checks.Yes},
			"? sticky: unknown; no labels\n✓ replicated: yes",
		},
		{
			"shared",
			checks.SessionReport{Policy: probes.PolicyShared, Shared: checks.Yes, Sticky: checks.No, NewClients: 25},
			"✓ shared: yes (25 new clients)\n• sticky: no (the policy does not demand it)",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range english.sessionAnswers(tt.session) {
				got = append(got, s.text)
			}
			if got := strings.Join(got, "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTree(t *testing.T) {
	finding := func(node, cause string) checks.Finding {
		f := checks.Finding{Code: "x", Node: node}
		if cause != "" {
			f.ExplainedBy = "x/" + cause
		}
		return f
	}
	for _, tt := range []struct {
		name     string
		findings []checks.Finding
		want     string
	}{
		{"none", nil, ""},
		{"flat", []checks.Finding{finding("a", ""), finding("b", "")}, "a b"},
		{"effects", []checks.Finding{finding("a", ""), finding("b", "a"), finding("c", ""), finding("d", "a")}, "a(b d) c"},
		{"effect first", []checks.Finding{finding("b", "a"), finding("a", "")}, "a(b)"},
		{"chain", []checks.Finding{finding("a", ""), finding("b", "a"), finding("c", "b")}, "a(b(c))"},
		{"missing cause", []checks.Finding{finding("b", "a")}, "b"},
		{"its own cause", []checks.Finding{finding("a", "a")}, "a"},
		{"cycle", []checks.Finding{finding("a", "b"), finding("b", "a"), finding("c", "")}, "c a(b)"},
		{"one key twice", []checks.Finding{finding("a", ""), finding("a", ""), finding("b", "a")}, "a(b) a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outline(tree(tt.findings)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestWrap: flags and ids are not broken, because they are copied.
func TestWrap(t *testing.T) {
	const want = "set it with\n--client-ip-header now"
	if got := wrap("set it with --client-ip-header now", 24); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSentence(t *testing.T) {
	for _, tt := range []struct {
		name    string
		finding checks.Finding
		want    string
	}{
		{"names its node", checks.Finding{Node: "a", Summary: checks.Quote("a is down")}, "a is down"},
		{"names another", checks.Finding{Node: "b", Target: "/x", Summary: checks.Quote("/x fails")}, "b /x: /x fails"},
		{"names one of its nodes", checks.Finding{Nodes: []string{"a", "b"}, Target: "rotation", Summary: checks.Quote("b is not seen")}, "b is not seen"},
		{"names none", checks.Finding{Nodes: []string{"n1", "n2"}, Summary: checks.Quote("versions differ")}, "n1, n2: versions differ"},
		{"dependency", checks.Finding{Dependency: "Redis", Nodes: []string{"a"}, Summary: checks.Quote("it is down")}, "Redis: it is down"},
		{"about nothing", checks.Finding{Summary: checks.Quote("too few probes")}, "too few probes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := english.summary(tt.finding); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func outline(findingNodes []findingNode) string {
	var all []string
	for _, b := range findingNodes {
		s := b.Node
		if len(b.explains) > 0 {
			s += "(" + outline(b.explains) + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestOffset(t *testing.T) {
	for _, tt := range []struct {
		from, to time.Duration
		want     string
	}{
		{-10 * time.Millisecond, 20 * time.Millisecond, "+5 ±15 ms"},
		{41 * time.Second, 43 * time.Second, "+42.0 ±1.0 s"},
		{-8 * time.Hour, -8 * time.Hour, "-8.0 ±0.0 h"},
		{-5 * time.Minute, -5*time.Minute + time.Second, "-5.0 ±0.0 min"},
	} {
		if got := offset(probes.ClockOffset{Min: tt.from, Max: tt.to, Samples: 1}); got != tt.want {
			t.Errorf("(%s, %s): got %q, want %q", tt.from, tt.to, got, tt.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for _, tt := range []struct {
		d          time.Duration
		want, took string
	}{
		{0, "0.0 ms", "0.0 ms"},
		{1234 * time.Microsecond, "1.2 ms", "1.2 ms"},
		{42 * time.Millisecond, "42 ms", "42 ms"},
		{812 * time.Millisecond, "812 ms", "0.8 s"},
		{2100 * time.Millisecond, "2.1 s", "2.1 s"},
		{5 * time.Minute, "5 min", "5 min"},
		{36 * time.Hour, "36.0 h", "36.0 h"},
	} {
		if got := formatDuration(tt.d); got != tt.want {
			t.Errorf("formatDuration(%s): got %q, want %q", tt.d, got, tt.want)
		}
		if got := roundDuration(tt.d); got != tt.took {
			t.Errorf("roundDuration(%s): got %q, want %q", tt.d, got, tt.took)
		}
	}
}

func TestMarkdownEscapes(t *testing.T) {
	for _, tt := range []struct{ in, text, code string }{
		{"plain", "plain", "`plain`"},
		{"a|b", `a\|b`, "`a|b`"},
		{"<img src=x>", "&lt;img src=x&gt;", "`<img src=x>`"},
		{"`x`", "\\`x\\`", "`` `x` ``"},
		{"a``b`c", "a\\`\\`b\\`c", "```a``b`c```"},
		{"[a](http://b)", `\[a\](http:&#8203;//b)`, "`[a](http://b)`"},
		{"@all #1", "@&#8203;all #&#8203;1", "`@all #1`"},
		{`\*&amp;`, `\\\*&amp;amp;`, "`\\*&amp;`"},
	} {
		if got := escape(tt.in); got != tt.text {
			t.Errorf("text %q: got %q, want %q", tt.in, got, tt.text)
		}
		if got := code(tt.in); got != tt.code {
			t.Errorf("code %q: got %q, want %q", tt.in, got, tt.code)
		}
	}
}
