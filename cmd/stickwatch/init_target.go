package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"stickwatch/internal/config"
	"stickwatch/internal/importer"
	"stickwatch/internal/render"
)

// A target is where init writes to.
type target struct {
	file    string // "-": standard output
	replace bool
}

const standardOutput = "-"

func newTarget(file string, replace bool) target { return target{file, replace} }

// free reports whether something would be lost.
func (t target) free() error {
	if t.file == standardOutput {
		return nil
	}
	switch info, err := os.Lstat(t.file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking for %q: %w", t.file, err)
	case info.IsDir():
		return fmt.Errorf("%q is a directory: name the file in it with -o FILE", t.file)
	case !t.replace:
		return fmt.Errorf("%q is there already: --force replaces it, -o FILE writes another one, -o - prints", t.file)
	}
	return nil
}

// write writes the text, and says so on standard output where that has not the
// text itself.
func (t target) write(c console, text []byte, found *importer.Import) error {
	if t.file == standardOutput {
		_, err := c.out.Write(text)
		return err
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if t.replace {
		mode = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(t.file, mode, 0o644) //nolint:gosec // nothing in it is secret
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("writing %q: %w", t.file, e.Err)
	} else if err != nil {
		return fmt.Errorf("writing %q: %w", t.file, err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", t.file, err)
	}
	cfg, err := config.Load(t.file)
	if err != nil {
		return err
	}
	guesses := len(found.Guesses())
	_, err = fmt.Fprintf(c.out, "%s is written: %s (%s), %s; then: stickwatch probe%s\n", t.file,
		render.Count(len(cfg.Clusters), "cluster", "clusters"), clusterNames(cfg), render.Count(guesses, "guess to look at", "guesses to look at"), t.flag())
	return err
}

// flag is how other commands are told the file.
func (t target) flag() string {
	if t.file == defaultFile {
		return ""
	}
	return " -c " + t.file
}
