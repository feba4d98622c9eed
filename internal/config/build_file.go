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

// maxSecretFile limits the size of a file that a configuration refers to, in bytes.
// Bundles of certificates are the largest.
const maxSecretFile = 1 << 20

// valueOrFile returns the value of a key, or the contents of the file that KEY_file
// names, with the path of the key that is used.
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

// file returns the contents of a file, without leading and trailing white space.
func (b *builder) file(at keyPath, path string) (string, bool) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.dir, path)
	}
	text, err := readFile(path, maxSecretFile)
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err // the message has the path, unless it comes from the environment
		}
		b.problem(at, "reading %s: %s", b.valueText(at, path), err)
		return "", false
	}
	return strings.TrimSpace(string(text)), true
}

var errTooLarge = errors.New("the file is too large")

var errIrregular = errors.New("is neither a file nor a pipe")

// readFile is os.ReadFile with a limit: a larger file is an error. It supports pipes,
// as in <(command). A pipe without a writer is empty and does not block. Devices are
// errors.
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
