package daemon

import (
	"context"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

// A browserTab is a tab of Chromium.
type browserTab struct {
	*testing.T
	ctx context.Context

	mu      sync.Mutex
	console []string
}

// openBrowserTab opens a page and runs the script before in it first. Any message in
// the console, such as a policy violation or a missing resource, fails the test.
func openBrowserTab(t *testing.T, url, before string) *browserTab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs chromium")
	}
	lab.Require(t, "chromium")
	path, err := exec.LookPath("chromium")
	must.Succeed(t, err)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-gpu", true), chromedp.Flag("lang", "en-US"))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	one := &browserTab{T: t, ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			one.mu.Lock()
			one.console = append(one.console, m.String())
			one.mu.Unlock()
		}
	}()
	t.Cleanup(one.wantEmptyConsole)
	one.do(func(ctx context.Context, to *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, to, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: before})
		return chromedp.Void{}, err
	}, chromedp.Navigate(url))
	return one
}

// wantEmptyConsole fails the test unless the console is empty.
func (t *browserTab) wantEmptyConsole() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.console {
		t.Errorf("the console says: %s", m)
	}
}

func (t *browserTab) do(steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	must.Succeed(t, chromedp.Do(t.ctx, steps...))
}

// await waits until an expression is true and evaluates it after every change of the
// document.
func (t *browserTab) await(what, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, 20*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done) => {
		const look = () => { if (`+expression+`) { watch.disconnect(); done(true); } };
		const watch = new MutationObserver(look);
		watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
		look();
	})`, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatalf("%s: waiting for %s: %v", what, expression, err)
	}
}

// ask evaluates an expression.
func ask[T any](t *browserTab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluating %s: %v", expression, err)
	}
	return value
}
