package message_test

import (
	"math"
	"strings"
	"testing"

	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/message"
	"stickwatch/internal/expect"
)

func markups() map[string]message.Markup {
	return map[string]message.Markup{"text": message.Text, "markdown": message.Markdown, "html": message.HTML}
}

// TestRender compares messages in each markup with the golden files.
func TestRender(t *testing.T) {
	for name, k := range markups() {
		if name == "text" { // TestPlain
			continue
		}
		for language, w := range writers() {
			expect.Golden(t, "testdata/"+name+"_"+language+".txt", w.Write(example.Fired()).Render(k, math.MaxInt)+"\n")
		}
	}
}

// TestRenderFits: whatever the text and the limit, a message is not longer than the
// limit, begins with its headline, and keeps its links if there is room for them.
func TestRenderFits(t *testing.T) {
	for name, k := range markups() {
		for _, n := range []string{"ordinary", "hostile"} {
			notification := example.Fired()
			if n == "hostile" {
				notification = example.Hostile()
			}
			m := writers()["en"].Write(notification)
			for limit := 60; limit < 9000; limit += 37 {
				text := m.Render(k, limit)
				if size := k.Size(text); size > limit {
					t.Fatalf("%s, %s: got %d units, want at most %d", name, n, size, limit)
				}
				if begin := strings.TrimLeft(text, "*<b>"); !strings.HasPrefix(begin, "[") {
					t.Fatalf("%s, %s, at most %d: got %q, want the headline first", name, n, limit, text)
				}
				if n == "ordinary" && limit > 600 && !strings.Contains(text, m.Links[1].URL) && k.Link == nil {
					t.Errorf("%s, at most %d: got no link in %q", name, limit, text)
				}
			}
		}
	}
}

// TestRenderIsLiteral: names from a target are neither mentions, links nor formats.
func TestRenderIsLiteral(t *testing.T) {
	const evil = "<@all> @all [x](http://e) ![i](http://e) [r]: http://e [a][b] **b** `c` </b> # <at id=all></at> &amp;"
	want := map[string]string{
		"markdown": "＜@\u200ball＞ @\u200ball [x］(http://e) ![i］(http://e) [r］: http://e [a］[b] ＊＊b＊＊ 'c' ＜/b＞ ＃ ＜at id=all＞＜/at＞ &amp;",
		"html":     "&lt;@\u200ball&gt; @\u200ball [x](http://e) ![i](http://e) [r]: http://e [a][b] **b** `c` &lt;/b&gt; # &lt;at id=all&gt;&lt;/at&gt; &amp;amp;",
		"text":     evil,
	}
	for name, k := range markups() {
		expect.Equal(t, name, want[name], k.Escape(evil))
	}
}
