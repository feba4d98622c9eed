package checks

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/probes"
)

// TestDependencyNames tests that reasons which change with every answer name the same
// dependency.
func TestDependencyNames(t *testing.T) {
	t.Parallel()
	ns := &nodeStates{round: &Round{Cluster: &probes.Cluster{Dependencies: []probes.Dependency{{Name: "Redis"}, {Name: "Redis Server"}}}}}
	for text, want := range map[string][]string{
		"Mail (attempt 17)":                {"Mail"},
		"Mail [5012 ms]":                   {"Mail"},
		"Mail: timeout after 5012 ms":      {"Mail"},
		"Mail - no answer for 3.2s":        {"Mail"},
		"Mail after 5012 ms":               {"Mail"},
		"Mail for 12 seconds":              {"Mail"},
		"Mail 5,012 ms":                    {"Mail"},
		"Mail attempt 17":                  {"Mail"},
		"Mail retry=3":                     {"Mail"},
		"Mail #17":                         {"Mail"},
		"Mail 17 retries":                  {"Mail"},
		"Mail since 12:03:55":              {"Mail"},
		"Mail 2026-11-28T12:03:55Z":        {"Mail"},
		"Mail (1), DB Service (2)":         {"Mail", "DB Service"},
		"redis server 17":                  {"Redis Server"},
		"REDIS/6379 is gone 17":            {"Redis"},
		"Redis2 (attempt 17)":              {"Redis2"},
		"10.0.0.5:6379 (attempt 17)":       {"10.0.0.5:6379"},
		"10.0.0.5:6379 attempt 17":         {"10.0.0.5:6379"},
		"DB 1, DB 2":                       {"DB 1", "DB 2"},
		"Attempts Service, Since-Service1": {"Attempts Service", "Since-Service1"},
		"(attempt 17)":                     nil,
	} {
		if diff := cmp.Diff(want, dependencyNames(ns.round, &probes.StatusReport{Reason: "unavailable: " + text})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
