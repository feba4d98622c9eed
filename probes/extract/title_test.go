package extract

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"stickwatch/internal/must"
	"stickwatch/probes"
)

func TestTitle(t *testing.T) {
	chinese, err := simplifiedchinese.GBK.NewEncoder().String("<html><head><meta charset=gbk><title>维护中</title>")
	must.Succeed(t, err)
	for name, tc := range map[string]struct{ body, want string }{
		"plain":           {"<html><head><title>Shop</title></head>", "Shop"},
		"several lines":   {"<TITLE lang=en>\n Fish &amp; Chips\n</TITLE>", "Fish & Chips"},
		"another charset": {chinese, "维护中"},
		"none":            {"back at noon", ""},
		"never closed":    {"<title>Shop", ""},
		"too late":        {strings.Repeat(" ", titleWithin) + "<title>Shop</title>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := Title().Extract(probes.Document{Header: http.Header{}, Body: []byte(tc.body)}); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
