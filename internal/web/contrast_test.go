package web

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast computes what WCAG 2.2 asks for (1.4.3, 1.4.11) from the
// stylesheet's own colours, light and dark.
func TestContrast(t *testing.T) {
	const text, graphics = 4.5, 3.0
	css, err := os.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
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

// luminance is WCAG's relative luminance of a colour in hexadecimal.
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
