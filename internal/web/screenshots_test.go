package web

import (
	"os"
	"path/filepath"
	"testing"

	"stickwatch/internal/must"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestScreenshots writes screenshots to the directory in STICKWATCH_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("STICKWATCH_SCREENSHOTS")
	if folder == "" {
		t.Skip("STICKWATCH_SCREENSHOTS names no folder")
	}
	d := withDeployment(ejected("docs"), healthyCluster("billing", 3), unprobed("intranet"))
	incident := "/incidents/" + d.fakeClusters[0].incidents[0].ID
	for _, shot := range []struct {
		name, path string
		width      int64
		dark       bool
	}{
		{"overview", "/", 1200, false},
		{"overview-dark", "/", 1200, true},
		{"overview-narrow", "/", 360, false},
		{"overview-chinese", "/?lang=zh", 1200, false},
		{"cluster", "/clusters/portal?lang=en", 1200, false},
		{"cluster-dark", "/clusters/portal", 1200, true},
		{"cluster-narrow", "/clusters/portal", 360, false},
		{"cluster-chinese-dark", "/clusters/portal?lang=zh", 1200, true},
		{"incident", incident + "?lang=en", 1200, false},
		{"incident-chinese-dark", incident + "?lang=zh", 1200, true},
		{"incident-narrow", incident + "?lang=en", 360, false},
		{"incidents", "/incidents?lang=en", 1200, false},
		{"incidents-narrow", "/incidents?lang=en", 360, false},
		{"incidents-chinese-dark", "/incidents?lang=zh", 1200, true},
	} {
		t.Run(shot.name, func(t *testing.T) {
			scheme := "light"
			if shot.dark {
				scheme = "dark"
			}
			b := browse(t, d.server(t, func(c *Config) {
				c.Links = []LinkTemplate{{"Grafana", "https://grafana.example/d/x?var-cluster={cluster}"}, {"Runbook", "https://wiki.example/{cluster}"}}
			}), &emulation.MediaFeature{Name: "prefers-color-scheme", Value: scheme})
			b.do(chromedp.EmulateViewport(shot.width, 900))
			b.open(shot.path)
			snapshot, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			must.Succeed(t, err)
			must.Succeed(t, os.WriteFile(filepath.Join(folder, shot.name+".png"), snapshot, 0o644))
		})
	}
}
