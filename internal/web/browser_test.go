package web

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A browser is a tab of Debian's Chromium. What its console is told, by pages or
// by the browser itself (a violation of the policy, a resource that is missing),
// fails the test.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu      sync.Mutex
	console []string
}

// browse opens a tab on what a server shows. Without Chromium the test is
// skipped, but not where CI is set: there a silent skip would turn it off for
// everybody.
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
	t.Cleanup(s.config.Live.Close)
	s.config.Listen = server.Listener.Addr().String()
	link, err := s.Link(time.Hour) // by which the browser gets its buttons
	if err != nil {
		t.Fatal(err)
	}
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

// disablePolling lets pages look for news only when they are told of some: what a page
// missed would show a while later, and a test would pass that took its time.
func (b *browser) disablePolling() {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: `window.setInterval = () => 0`})
		return chromedp.Void{}, err
	})
}

// quiet demands an empty console.
func (b *browser) quiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.console {
		b.t.Errorf("the console says: %s", m)
	}
}

// clearConsole forgets what the console has said so far.
func (b *browser) clearConsole() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.console = nil
}

// emulate sets what media queries see, such as a dark colour scheme.
func (b *browser) emulate(features ...*emulation.MediaFeature) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return chromedp.Void{}, err
	})
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.url + path)) }

// submit presses a button by keyboard and waits for the page that follows.
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

// await waits until an expression holds, looking again whenever the document
// changes. It does without what the page's policy forbids.
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
