package daemon

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"stickwatch/checks"
	"stickwatch/internal/must"
)

// TestScreenshots writes screenshots of the demo during several faults to the directory
// in the environment variable STICKWATCH_PICTURES. `make screenshots` runs it.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("STICKWATCH_PICTURES")
	if folder == "" {
		t.Skip("STICKWATCH_PICTURES names no folder")
	}
	r := newRig(t)
	r.write(strings.Replace(r.text, "    dependencies:", "    pages: [{path: /app_a/}]\n    dependencies:", 1))
	d, _ := r.start(t)
	d.untilReady(t)
	page := openBrowserTab(t, d.url+"/?lang=en", "")
	r.recordHistory(t)
	until(t, "a cause", func() bool { return slices.Contains(d.probe(t).Causes, checks.DependencyDown) })
	time.Sleep(4 * time.Second) // for the incident to gather what follows from it
	for _, shot := range []struct {
		name, path    string
		width, height int
		scheme        string
	}{
		{"page-light", "/?lang=en", 1000, 895, "light"},
		{"page-dark", "/?lang=en", 1000, 895, "dark"},
		{"page-narrow", "/?lang=en", 360, 930, "light"},
		{"page-zh", "/?lang=zh", 1000, 915, "light"},
		{"cluster", "/clusters/shop?lang=en", 1000, 1265, "light"},
	} {
		snapshot := page.screenshot(d.url+shot.path, shot.width, shot.height, shot.scheme)
		must.Succeed(t, os.WriteFile(filepath.Join(folder, shot.name+".png"), snapshot, 0o644))
		t.Logf("%s: %d bytes", shot.name, len(snapshot))
	}
}

// recordHistory writes the history of the last minutes.
func (r *rig) recordHistory(t *testing.T) {
	t.Helper()
	const well = 50 * time.Second
	time.Sleep(well)
	for _, fault := range []struct {
		name string
		long time.Duration
	}{{"node-down", 25 * time.Second}, {"drift", 4 * time.Second}, {"node-hanging", 15 * time.Second}} {
		must.Succeed(t, r.Break(fault.name))
		time.Sleep(fault.long)
		must.Succeed(t, r.Heal())
		time.Sleep(well)
	}
	must.Succeed(t, r.Break("redis-down"))
}

// screenshot returns a PNG of the upper part of a page.
func (t *browserTab) screenshot(url string, width, height int, scheme string) []byte {
	t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	t.do(func(ctx context.Context, to *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, to, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
		return chromedp.Void{}, err
	}, chromedp.EmulateViewport(int64(width), int64(height)), chromedp.Navigate(url))
	t.await("the script", `!document.getElementById("live").hidden`)
	taken, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	must.Succeed(t, err)
	whole, err := png.Decode(bytes.NewReader(taken))
	must.Succeed(t, err)
	part := whole.Bounds().Intersect(image.Rect(0, 0, width, height))
	reduced := image.NewPaletted(part, palette(whole, part))
	draw.Draw(reduced, part, whole, part.Min, draw.Src)
	var out bytes.Buffer
	must.Succeed(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, reduced))
	return out.Bytes()
}

// palette returns the colors of an image, the most frequent first, without those that
// look like an earlier one, such as the edges of letters.
func palette(of image.Image, part image.Rectangle) (chosen color.Palette) {
	const most, alike = 256, 5 // of 255 steps in a colour's red, green or blue
	count := map[color.RGBA]int{}
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			count[color.RGBAModel.Convert(of.At(x, y)).(color.RGBA)]++
		}
	}
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= alike }
	for _, c := range slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) }) {
		known := slices.ContainsFunc(chosen, func(other color.Color) bool {
			o := other.(color.RGBA)
			return near(o.R, c.R) && near(o.G, c.G) && near(o.B, c.B)
		})
		if !known && len(chosen) < most {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
