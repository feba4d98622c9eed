package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/history"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
)

func newHistoryCopy(c console) *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM TO",
		Short: "Copy a history to another file or database",
		Long: `copy copies the history FROM to TO, for example from a file to PostgreSQL. Each
is the FILE of a history, a postgres:// URL, or a configuration (*.yml) that
names the history and, if it has one, the file with the password.

serve may run on FROM meanwhile. TO must be new, or written by copy only. An
interrupted copy is continued by the next one, and serve refuses it until then.
To move a history:
  1. copy, while serve runs
  2. stop serve, and copy again: that takes seconds
  3. set history.url, and start serve

Exit status:
  0  the history was copied
  1  it was not, or only a part of it
  2  wrong usage or configuration`,
		Example: `  stickwatch history copy stickwatch.db new.yml
  stickwatch history copy stickwatch.db postgres://stickwatch@db/stickwatch`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("expected FROM and TO: got %s", phrase.Reader{}.Count(len(args), "argument", "arguments"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return copyHistory(cmd.Context(), c, args[0], args[1]) },
	}
}

func copyHistory(ctx context.Context, c console, from, to string) error {
	source, err := historyLocation(from)
	if err != nil {
		return err
	}
	target, err := historyLocation(to)
	switch {
	case err != nil:
		return err
	case source == target:
		return errors.New("FROM and TO are the same history")
	case !history.IsDatabase(source):
		if err := readable(source, "stickwatch serve"); err != nil {
			return exitError{exitFinding, err}
		}
	}
	copied, err := history.Copy(ctx, source, target, reportProgress(c))
	if err != nil {
		return exitError{exitFinding, err}
	}
	_, err = fmt.Fprintf(c.out, "copied: %s\n", countsOf(copied))
	return err
}

// historyLocation returns the path or URL of a history that an argument names.
func historyLocation(arg string) (string, error) {
	if extension := filepath.Ext(arg); !history.IsDatabase(arg) && (extension == ".yml" || extension == ".yaml") {
		cfg, err := loadFile(arg, "name the history itself, or a configuration")
		if err != nil {
			return "", err
		}
		return cfg.History.Location(), nil
	}
	path := strings.TrimPrefix(arg, "sqlite:")
	if isEmptyValue(path) {
		return "", errors.New("expected FROM and TO, got an empty argument")
	}
	return path, nil
}

// reportProgress returns a function that prints what was copied, every few seconds.
func reportProgress(c console) func(history.Copied) {
	const interval = 5 * time.Second
	last := time.Now()
	return func(copied history.Copied) {
		if time.Since(last) >= interval {
			last = time.Now()
			fmt.Fprintf(c.err, "copying: %s\n", countsOf(copied))
		}
	}
}

// countsOf lists rows by table, the largest first.
func countsOf(copied history.Copied) string {
	var names []string
	for name := range copied {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if copied[a] != copied[b] {
			return int(copied[b] - copied[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", render.CleanName(name), copied[name])
	}
	if len(names) == 0 {
		return "nothing, because the history is empty"
	}
	return strings.Join(names, ", ")
}
