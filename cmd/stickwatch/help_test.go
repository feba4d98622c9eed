package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"
)

// everyCommand is the commands of the program and those below them, topics of
// its help included.
func everyCommand() []*cobra.Command {
	all := []*cobra.Command{newRoot(console{})}
	for i := 0; i < len(all); i++ {
		all = append(all, all[i].Commands()...)
	}
	return all
}

func TestEveryCommandTeaches(t *testing.T) {
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

// What help tells people to type must be what they can type.
func TestExamplesAreTrue(t *testing.T) {
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

// A flag that is in no section could be used, and never be found.
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
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
