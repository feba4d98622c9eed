package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// everyCommand returns all commands, subcommands and topics.
func everyCommand() []*cobra.Command {
	all := []*cobra.Command{newRoot(console{})}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, cmd := range everyCommand() {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			if cmd.Short == "" || cmd.Long == "" {
				t.Errorf("got short text %q and long text %q, want both", cmd.Short, cmd.Long)
			}
			if cmd.Runnable() && !cmd.HasExample() {
				t.Error("got no example")
			}
			for line := range strings.Lines(helpOf(t, cmd)) {
				if width := lipgloss.Width(strings.TrimRight(line, "\n")); width > 80 {
					t.Errorf("a line takes %d columns: %s", width, line)
				}
			}
		})
	}
}

// TestExampleFlags: every flag in an example exists.
func TestExampleFlags(t *testing.T) {
	root := newRoot(console{})
	flag := regexp.MustCompile(`(?:^|\s)(--?)([a-z][a-z.-]*)`)
	for _, cmd := range everyCommand() {
		example := strings.ReplaceAll(cmd.Example, "\\\n", " ")
		for line := range strings.Lines(example) {
			for _, call := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|<>()#", r) }) {
				words := strings.Fields(call)
				if len(words) == 0 || words[0] != "stickwatch" {
					continue
				}
				found, _, err := root.Find(words[1:])
				if err != nil || (len(words) > 1 && found == root) {
					t.Errorf("%q: there is no such command (%v)", line, err)
					continue
				}
				for _, match := range flag.FindAllStringSubmatch(call, -1) {
					lookup := found.Flags().Lookup
					if match[1] == "-" {
						lookup = found.Flags().ShorthandLookup
					}
					if lookup(match[2]) == nil {
						t.Errorf("%q: %s has no flag %s%s", line, found.Name(), match[1], match[2])
					}
				}
			}
		}
	}
}

// TestEveryFlagIsInHelp: every flag belongs to a section of the help.
func TestEveryFlagIsInHelp(t *testing.T) {
	listed := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z.-]+)`)
	for _, cmd := range everyCommand() {
		var names []string
		for _, match := range listed.FindAllStringSubmatch(helpOf(t, cmd), -1) {
			names = append(names, match[1])
		}
		for _, match := range listed.FindAllStringSubmatch(cmd.LocalNonPersistentFlags().FlagUsages(), -1) {
			if !slices.Contains(names, match[1]) {
				t.Errorf("%s: --%s is not in its help", cmd.CommandPath(), match[1])
			}
		}
	}
}

func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	var b bytes.Buffer
	cmd.SetOut(&b)
	must.Succeed(t, cmd.Help())
	return b.String()
}

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
		{"no text", exitError{status: exitFinding}, "", exitFinding},
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
			expect.Equal(t, "status", tt.status, statusOf(tt.err))
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"node", "balancer", "client-ip-header"}
	for word, want := range map[string]string{
		"nodes": "node", "Node": "node", "ballancer": "balancer", "client-ip": "client-ip-header", "port": "", "": "",
	} {
		expect.Equal(t, word, want, nearest(word, known))
	}
}
