package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A browser is a tab of Chromium. Any message on its console fails the test.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu      sync.Mutex
	console []string
}

// browse opens a tab with a server. It skips the test without Chromium, except in CI.
func browse(t *testing.T, s *Server, media ...*emulation.MediaFeature) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("chromium is not installed")
	} else if err != nil || testing.Short() {
		t.Skip("needs chromium")
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Cleanup(s.config.Live.close)
	s.config.Listen = server.Listener.Addr().String()
	link, err := s.Link(time.Hour) // authorizes changes
	must.Succeed(t, err)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-gpu", true), chromedp.Flag("lang", "en-US"))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: server.URL}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, m.String())
			b.mu.Unlock()
		}
	}()
	t.Cleanup(b.quiet)
	b.disablePolling()
	b.emulate(media...)
	b.do(chromedp.Navigate(link))
	return b
}

// disablePolling stops the periodic refresh. Otherwise a page that missed an event would
// update later, and a slow test would pass.
func (b *browser) disablePolling() {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: `window.setInterval = () => 0`})
		return chromedp.Void{}, err
	})
}

// quiet checks that the console is empty.
func (b *browser) quiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.console {
		b.t.Errorf("the console says: %s", m)
	}
}

// clearConsole clears the recorded console messages.
func (b *browser) clearConsole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = nil
}

// emulate sets media features, such as a dark color scheme.
func (b *browser) emulate(features ...*emulation.MediaFeature) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return chromedp.Void{}, err
	})
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	must.Succeed(b.t, chromedp.Do(b.ctx, steps...))
}

func (b *browser) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.url + path)) }

// submit activates a button by keyboard and waits for the next page.
func (b *browser) submit(button string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Focus(chromedp.CSS(button)), chromedp.KeyEvent(kb.Enter)); err != nil {
		b.t.Fatal(err)
	}
}

// ask evaluates an expression on the page.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", expression, err)
	}
	return value
}

// await waits until an expression is true. It evaluates it at each change of the document, and
// uses nothing that the page's policy forbids.
func (b *browser) await(expression string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done) => {
		const look = () => { if (`+expression+`) { watch.disconnect(); done(true); } };
		const watch = new MutationObserver(look);
		watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		look();
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// TestPageFollows: the page shows changes without a reload, and keeps the focus and the input
// of the user.
func TestPageFollows(t *testing.T) {
	d := newFakeDaemon(nodeDown("portal", 3), healthyCluster("shop", 3))
	s := d.server(t)
	b := browse(t, s)
	b.open("/")
	ask[bool](b, `window.same = true`)
	b.await(`!document.getElementById("live").hidden`)
	b.do(
		chromedp.Click(chromedp.CSS("#incidents details:first-of-type summary")),
		chromedp.Focus(chromedp.CSS("#probe-portal")),
	)

	d.replaceCluster(redisDown("shop"))
	s.config.Live.Publish("shop")
	b.await(`document.querySelector("h1").textContent.startsWith("2 of 2 clusters are failing")`)
	b.await(`document.querySelectorAll("#incidents article").length === 2`)
	for what, expression := range map[string]string{
		"loaded again":                 `window.same === true`,
		"closed what was open":         `document.querySelectorAll("#incidents details[open]").length === 1`,
		"moved the focus":              `document.activeElement.id === "probe-portal"`,
		"kept its title":               `document.title.startsWith("2 of 2")`,
		"does not mark the bad states": `document.querySelectorAll("#c-shop td.bd").length === 3`,
	} {
		if !ask[bool](b, expression) {
			t.Errorf("the page %s", what)
		}
	}

	// Input stays until it is submitted.
	b.do(
		chromedp.Click(chromedp.CSS("#incidents article:last-of-type details:last-of-type summary")),
		chromedp.SendKeys(chromedp.CSS("#incidents article:last-of-type input[name=reason]"), "half a sen"),
	)
	d.replaceCluster(healthyCluster("portal", 3))
	s.config.Live.Publish("portal")
	b.await(`document.querySelector("h1").textContent.startsWith("shop is failing: ")`)
	if got := ask[string](b, `document.querySelector("#incidents article:last-of-type input[name=reason]").value`); got != "half a sen" {
		t.Errorf("what was written became %q", got)
	}
}

// TestPageCatchesUp: the page shows changes that happened while it loaded.
func TestPageCatchesUp(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	s := d.server(t)
	b := browse(t, s)
	b.open("/")
	b.await(`!document.getElementById("live").hidden`)
	d.replaceCluster(redisDown("shop"))
	s.config.Live.Publish("shop")
	b.await(`document.querySelector("h1").textContent.startsWith("shop is failing: ")`)
	if icon := ask[string](b, `document.querySelector("link[rel=icon]").href`); len(icon) == 0 || icon[len(b.url):len(b.url)+len("/static/icon-bd.svg")] != "/static/icon-bd.svg" {
		t.Errorf("got icon %q", icon)
	}
}

// TestConnectionLost: a page without a connection shows that it may be outdated.
func TestConnectionLost(t *testing.T) {
	s := newFakeDaemon(healthyCluster("shop", 2)).server(t)
	b := browse(t, s)
	b.open("/")
	b.await(`!document.getElementById("live").hidden`)
	s.config.Live.close()
	b.await(`document.querySelector("#live.off")?.textContent.startsWith("connection lost")`)
	if got := ask[string](b, `getComputedStyle(document.querySelector("main")).filter`); got != "grayscale(1)" {
		t.Errorf("got filter %q, want it grey", got)
	}
	b.do(chromedp.Navigate("about:blank"))
	b.clearConsole() // the browser logs the failure
}

// TestButtonsWork uses the keyboard only.
func TestButtonsWork(t *testing.T) {
	d := newFakeDaemon(redisDown("shop"))
	b := browse(t, d.server(t))
	b.open("/")
	b.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	if got := ask[string](b, `document.activeElement.textContent`); got != "shop" {
		t.Errorf("after skipping to the content, the first stop is %q", got)
	}
	b.do(chromedp.Focus(chromedp.CSS("#incidents details:last-of-type summary")), chromedp.KeyEvent(kb.Enter))
	b.await(`document.querySelector("#incidents details:last-of-type").open`)
	b.submit("#incidents button")
	if got := ask[string](b, `location.pathname + " " + document.querySelectorAll("#silences li").length`); got != "/clusters/shop 1" {
		t.Errorf("after silencing the page is %q", got)
	}
	if got := d.allSilences(); len(got) != 1 || got[0].Code != "dependency_down" {
		t.Errorf("got silences %+v", got)
	}
	b.submit("#probe-shop")
	expect.Equal(t, "probed", []string{"shop"}, d.asked())
}

// lint checks basic requirements of screen readers.
const lint = `(() => {
	const bad = [], all = (s) => [...document.querySelectorAll(s)];
	const name = (e) => (e.getAttribute("aria-label") || e.textContent || "").trim();
	if (all("h1").length !== 1) bad.push(all("h1").length + " h1");
	let last = 0;
	for (const h of all("h1, h2, h3")) {
		const level = Number(h.tagName[1]);
		if (level > last + 1) bad.push("h" + level + " after h" + last + ": " + h.textContent);
		last = level;
	}
	for (const e of all("th:not([scope])")) bad.push("th without scope: " + name(e));
	for (const e of all("svg[role=img]")) if (!name(e)) bad.push("a drawing without words");
	for (const e of all("a, button, summary")) if (!name(e)) bad.push("a nameless " + e.tagName);
	for (const e of all("input:not([type=hidden]), select")) if (!e.closest("label")) bad.push("an input without label");
	for (const e of all("button, select, summary, input:not([type=hidden])")) {
		const box = e.getBoundingClientRect(); // WCAG 2.5.8; what is folded has no size
		if (box.height && (box.height < 24 || box.width < 24)) bad.push("too small to hit: " + name(e) + " " + box.width + " by " + box.height);
	}
	for (const e of all("[tabindex]")) if (e.tabIndex > 0) bad.push("an order of its own: " + name(e));
	for (const e of all("section")) if (!e.getAttribute("aria-label") && !document.getElementById(e.getAttribute("aria-labelledby"))) bad.push("a nameless section");
	for (const s of ["header", "nav", "main", "footer", "[lang]", ".skip"]) if (!document.querySelector(s)) bad.push("no " + s);
	const ids = all("[id]").map((e) => e.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) bad.push("id twice: " + id);
	if (document.documentElement.scrollWidth > innerWidth) bad.push("wider than the window: " + document.documentElement.scrollWidth + " of " + innerWidth);
	return bad;
})()`

// TestEveryPage checks pages at the width of WCAG 1.4.10: no horizontal overflow, no console
// messages, and names and structure for screen readers.
func TestEveryPage(t *testing.T) {
	d := everyKindOfCluster()
	b := browse(t, d.server(t))
	b.do(chromedp.EmulateViewport(320, 700))
	for _, path := range everyPage(d) {
		if path == "/nowhere" {
			continue // the browser logs the error status
		}
		for _, language := range languages {
			b.open(fmt.Sprintf("%s?lang=%s", path, language))
			for _, bad := range ask[[]string](b, lint) {
				t.Errorf("%s in %s: %s", path, language, bad)
			}
		}
	}
}
