package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxSecretFile bounds a file that a configuration names, in bytes; bundles of
// certificates are the largest.
const maxSecretFile = 1 << 20

// valueOrFile is the value of a key, or what stands in the file that KEY_file
// names, and where it was said.
func (b *builder) valueOrFile(at keyPath, key, value, path string) (string, keyPath) {
	own, beside := at.key(key), at.key(key+"_file")
	switch {
	case path == "":
		return value, own
	case value != "":
		b.problem(beside, "expected %s or %s_file, got both", key, key)
		return value, own
	}
	text, ok := b.file(beside, path)
	if ok && text == "" {
		b.problem(beside, "the file %s is empty", b.valueText(beside, path))
	}
	return text, beside
}

// file is what stands in a file, without white space around it.
func (b *builder) file(at keyPath, path string) (string, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.dir, path)
	}
	text, err := readFile(path, maxSecretFile)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // the path is in the message, unless it comes from the environment
		}
		b.problem(at, "reading %s: %s", b.valueText(at, path), err)
		return "", false
	}
	return strings.TrimSpace(string(text)), true
}

var errTooLarge = errors.New("the file is too large")

var errIrregular = errors.New("is neither a file nor a pipe")

// readFile is os.ReadFile of at most so many bytes; more than most are an
// error. A pipe is what a shell makes of <(command); one that nobody writes to is
// empty, and not waited for. A device is a mistake.
func readFile(path string, most int64) ([]byte, error) {
	const special = fs.ModeDevice | fs.ModeSocket | fs.ModeIrregular
	if info, err := os.Stat(path); err == nil && info.Mode()&special != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errIrregular}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = errTooLarge
	}
	return data, err
}
