package config

import (
	"testing"

	"stickwatch/checks"
)

func TestRouteMatches(t *testing.T) {
	tests := []struct {
		route    Route
		cluster  string
		code     checks.Code
		severity checks.Severity
		want     bool
	}{
		{Route{Severity: checks.Warning}, "shop", checks.NodeDown, checks.Warning, true},
		{Route{Severity: checks.Warning}, "shop", checks.NodeDown, checks.Critical, true},
		{Route{Severity: checks.Critical}, "shop", checks.NodeDown, checks.Warning, false},
		{Route{Severity: checks.Warning}, "shop", checks.BlindSpot, checks.Info, false},
		{Route{Severity: checks.Info, Cluster: "shop"}, "shop", checks.BlindSpot, checks.Info, true},
		{Route{Severity: checks.Info, Cluster: "shop"}, "other", checks.BlindSpot, checks.Info, false},
		{Route{Severity: checks.Info, Code: checks.Slow}, "shop", checks.Slow, checks.Warning, true},
		{Route{Severity: checks.Info, Code: checks.Slow}, "shop", checks.NodeDown, checks.Warning, false},
	}
	for _, tt := range tests {
		if got := tt.route.Matches(tt.cluster, tt.code, tt.severity); got != tt.want {
			t.Errorf("%+v matches %s, %s, %s: got %t", tt.route, tt.cluster, tt.code, tt.severity, got)
		}
	}
}
