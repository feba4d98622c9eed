package main

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"stickwatch/internal/config"
)

func TestDescribe(t *testing.T) {
	inFile := config.Problems{{File: "a.yml", Line: 2, Column: 3, Key: "clusters", Message: "is wrong"}}
	inFlags := config.Problems{{Key: "--node", Message: "is missing"}, {Key: "--balancer", Message: "is missing"}}
	for _, tt := range []struct {
		name   string
		err    error
		want   string
		status int
	}{
		{"nothing", nil, "", exitOK},
		{"one", errors.New("a"), "stickwatch: a", exitUsage},
		{
			"several", errors.Join(errors.New("a"), errors.Join(errors.New("b"), errors.New("c"))),
			"stickwatch: a\nstickwatch: b\nstickwatch: c", exitUsage,
		},
		{"flags", inFlags, "stickwatch: --node: is missing\nstickwatch: --balancer: is missing", exitUsage},
		{"a file", inFile, "a.yml:2:3: clusters: is wrong", exitUsage},
		{"flags and a file", errors.Join(errors.New("a"), inFile), "stickwatch: a\na.yml:2:3: clusters: is wrong", exitUsage},
		{"all was said", exitError{status: exitFinding}, "", exitFinding},
		{"a reason", exitError{exitInconclusive, errors.New("a")}, "stickwatch: a", exitInconclusive},
		{
			"a full disk", fmt.Errorf("writing: %w", &fs.PathError{Op: "write", Path: "out", Err: errors.New("full")}),
			"stickwatch: writing: write out: full", exitInconclusive,
		},
		{
			"an unreadable file", &fs.PathError{Op: "open", Path: "in", Err: fs.ErrPermission},
			"stickwatch: open in: permission denied", exitUsage,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := describe(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := statusOf(tt.err); got != tt.status {
				t.Errorf("got status %d, want %d", got, tt.status)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"node", "balancer", "client-ip-header"}
	for word, want := range map[string]string{
		"nodes": "node", "Node": "node", "ballancer": "balancer", "client-ip": "client-ip-header", "port": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
