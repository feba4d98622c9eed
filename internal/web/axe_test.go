package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"stickwatch/alerting"
	"stickwatch/internal/must"
)

// axeVersion is the version of axe-core, https://github.com/dequelabs/axe-core.
const axeVersion = "4.14.1"

// axeScript installs axe-core and returns it. It skips the test without npm, except in CI.
func axeScript(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("npm is not installed")
	} else if err != nil || testing.Short() {
		t.Skip("needs npm")
	}
	folder := t.TempDir()
	install := exec.CommandContext(t.Context(), npm, "install", "--no-audit", "--no-fund", "--prefix", folder, "axe-core@"+axeVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing axe-core: %v\n%s", err, out)
	}
	script, err := os.ReadFile(filepath.Join(folder, "node_modules/axe-core/axe.min.js"))
	must.Succeed(t, err)
	return string(script)
}

// TestAxe: axe-core finds nothing on any page, in both languages, on a phone with light and on a
// wide screen with dark colors, with everything unfolded.
func TestAxe(t *testing.T) {
	axe := axeScript(t)
	w := newFakeDaemon(redisDown("shop"), nodeDown("portal", 4), ejected("docs"), unprobed("intranet"))
	w.deadLetters = []DeadLetter{{}}
	pages := append(slices.DeleteFunc(everyPage(w), func(path string) bool { return path == "/nowhere" }),
		"/report", "/incidents?cluster=portal&severity=warning&state=resolved", "/clusters/portal?range=24h")
	w.silences = []alerting.Silence{{ID: "1", Cluster: "shop", From: testTime, To: testTime.Add(time.Hour)}}
	for scheme, width := range map[string]int64{"light": 390, "dark": 1280} {
		b := browse(t, w.server(t), &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
		b.do(chromedp.EmulateViewport(width, 900))
		for _, language := range languages {
			for _, path := range pages {
				link := path + "?lang=" + language
				if strings.Contains(path, "?") {
					link = path + "&lang=" + language
				}
				b.open(link)
				ask[bool](b, `(() => { for (const d of document.querySelectorAll("details")) d.open = true; return true; })()`)
				ask[bool](b, axe+"; true")
				violations, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](
					`axe.run({resultTypes: ["violations"]}).then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target + ": " + n.failureSummary)))`,
					chromedp.EvalAwaitPromise))
				must.Succeed(t, err)
				for _, v := range violations {
					t.Errorf("%s, %s, %d px: %s", link, scheme, width, v)
				}
			}
		}
	}
}
