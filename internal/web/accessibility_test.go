package web

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/must"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// An element is an element of the accessibility tree: its role and name.
type element struct{ role, name string }

// listen returns Chromium's accessibility tree of the page.
func (b *browser) listen() (all []element) {
	b.t.Helper()
	tree, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	must.Succeed(b.t, err)
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `" `)
	}
	for _, n := range tree.Nodes {
		if !n.Ignored {
			all = append(all, element{text(n.Role), text(n.Name)})
		}
	}
	return all
}

// TestScreenReaders: a page has one of each landmark, and all controls, drawings, tables and
// headings have names.
func TestScreenReaders(t *testing.T) {
	d := everyKindOfCluster()
	b := browse(t, d.server(t))
	landmarks := []string{"banner", "navigation", "main", "contentinfo"}
	named := []string{"button", "link", "combobox", "textbox", "heading", "image", "table", "region", "DisclosureTriangle", "columnheader", "rowheader"}
	for _, path := range everyPage(d) {
		if path == "/nowhere" {
			continue // the browser logs the error status
		}
		b.open(path)
		count := map[string]int{}
		for _, h := range b.listen() {
			count[h.role]++
			if slices.Contains(named, h.role) && h.name == "" {
				t.Errorf("%s: a %s without a name", path, h.role)
			}
		}
		for _, role := range landmarks {
			if count[role] != 1 {
				t.Errorf("%s: %d times %s, want one", path, count[role], role)
			}
		}
		if count["heading"] == 0 || count["link"] == 0 {
			t.Errorf("%s: got %v, want what is on the page", path, count)
		}
	}
}

// TestFocusIsSeen: the Tab key reaches every control, and the focus is visible.
func TestFocusIsSeen(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		b := browse(t, newFakeDaemon(redisDown("shop"), healthyCluster("docs", 2)).server(t), &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
		b.open("/")
		stops := ask[int](b, `[...document.querySelectorAll("a, button, summary, input, select")].filter((e) => e.checkVisibility()).length`)
		if stops < 10 {
			t.Fatalf("got %d stops, want all links and buttons", stops)
		}
		seen := map[string]bool{}
		for range stops {
			b.do(chromedp.KeyEvent(kb.Tab))
			stop := ask[string](b, `(() => {
				const e = document.activeElement, css = getComputedStyle(e);
				window.walked = window.walked || [];
				if (!walked.includes(e)) walked.push(e);
				return walked.indexOf(e) + " " + e.tagName + " " + css.outlineStyle + " " + (parseFloat(css.outlineWidth) >= 2);
			})()`)
			seen[stop] = true
			if !strings.HasSuffix(stop, " solid true") {
				t.Errorf("%s: %s, want an outline", scheme, stop)
			}
		}
		if len(seen) != stops {
			t.Errorf("%s: the tabulator stops at %d places, want %d", scheme, len(seen), stops)
		}
	}
}

// TestNewsAreAnnouncedOnce: a live region changes only when its text changes.
func TestNewsAreAnnouncedOnce(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2), healthyCluster("docs", 2))
	s := d.server(t)
	b := browse(t, s)
	b.open("/")
	b.await(`!document.getElementById("live").hidden`)
	if n := ask[int](b, `document.querySelectorAll("[aria-live], [role=status], [role=alert]").length`); n != 2 {
		t.Errorf("got %d live regions, want the headline and the connection", n)
	}
	ask[bool](b, `(() => {
		window.announced = [];
		for (const region of document.querySelectorAll("[aria-live], [role=status]"))
			new MutationObserver(() => announced.push(region.textContent)).observe(region, {subtree: true, childList: true, characterData: true});
		document.body.dataset.fetched = 0;
		const fetched = window.fetch;
		window.fetch = (...args) => fetched(...args).finally(() => { document.body.dataset.fetched++; });
		return true;
	})()`)
	for i, next := range []*fakeCluster{redisDown("shop"), redisDown("shop"), healthyCluster("shop", 2)} {
		d.replaceCluster(next)
		s.config.Live.Publish("shop")
		b.await(fmt.Sprintf(`Number(document.body.dataset.fetched) === %d`, i+1))
	}
	b.await(`document.querySelector("h1").textContent === "All 2 clusters are healthy"`)
	if got, want := ask[[]string](b, `window.announced`), []string{"shop is failing: Dependency down, Redis Server (3 nodes)", "All 2 clusters are healthy"}; !slices.Equal(got, want) {
		t.Errorf("announced %q, want %q", got, want)
	}
}

// TestNothingMoves: there are no animations if the user prefers reduced motion.
func TestNothingMoves(t *testing.T) {
	for motion, want := range map[string]string{"reduce": "auto", "no-preference": "smooth"} {
		b := browse(t, newFakeDaemon(redisDown("shop")).server(t), &emulation.MediaFeature{Name: "prefers-reduced-motion", Value: motion})
		b.open("/")
		if got := ask[string](b, `getComputedStyle(document.documentElement).scrollBehavior`); got != want {
			t.Errorf("%s: scrolls %s, want %s", motion, got, want)
		}
		if n := ask[int](b, `document.getAnimations().length`); n != 0 {
			t.Errorf("%s: %d animations", motion, n)
		}
	}
}

// TestContrast computes the contrasts that WCAG 2.2 requires (1.4.3, 1.4.11) from the
// stylesheet, for light and dark colors.
func TestContrast(t *testing.T) {
	const text, graphics = 4.5, 3.0
	css, err := os.ReadFile("static/style.css")
	must.Succeed(t, err)
	light, dark, found := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("the stylesheet has no dark colours")
	}
	for scheme, block := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(block, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		check := func(least float64, front, back string) {
			a, b := colours[front], colours[back]
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f at least", scheme, front, back, ratio, least)
			}
		}
		for _, ink := range []string{"ink", "dim", "ok", "in", "no", "wn", "bd"} {
			for _, back := range []string{"card", "bg"} {
				check(text, ink, back)
			}
		}
		for _, m := range []string{"ok", "wn", "bd"} {
			check(text, m, m+"-t")
		}
		for _, bar := range []string{"bar-ok", "bar-wn", "bar-bd", "in", "dim"} {
			check(graphics, bar, "card")
		}
	}
}

// luminance returns the relative luminance (WCAG) of a hexadecimal color.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(fmt.Errorf("reading colour %q: %w", hex, err))
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

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
	d := newFakeDaemon(redisDown("shop"), nodeDown("portal", 4), ejected("docs"), unprobed("intranet"))
	d.deadLetters = []DeadLetter{{}}
	pages := append(slices.DeleteFunc(everyPage(d), func(path string) bool { return path == "/nowhere" }),
		"/report", "/incidents?cluster=portal&severity=warning&state=resolved", "/clusters/portal?range=24h")
	d.silences = []alerting.Silence{{ID: "1", Cluster: "shop", From: testTime, To: testTime.Add(time.Hour)}}
	for scheme, width := range map[string]int64{"light": 390, "dark": 1280} {
		b := browse(t, d.server(t), &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
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
