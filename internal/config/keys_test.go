package config

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

// TestKeyFile: the key of a fleet is a file that only its owner and group can read, with one or more keys.
func TestKeyFile(t *testing.T) {
	text := "0123456789abcdefghijklmnopqrstuv"
	inHex, inBase64 := "30313233343536373839616263646566"+"6768696a6b6c6d6e6f70717273747576", base64.StdEncoding.EncodeToString([]byte(text))
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		file string
		mode os.FileMode
		want string // keys, or a part of the problem
	}{
		"hexadecimal": {inHex + "\n", 0o600, text},
		"base64":      {inBase64, 0o400, text},
		"rotation":    {inBase64 + "\n" + inHex + "\n", 0o600, text + " " + text},
		"secret":      {inHex, 0o440, text},
		"group":       {inHex, 0o640, text},
		"writable":    {inHex, 0o660, "mode 0660"},
		"readable":    {inHex, 0o644, "mode 0644"},
		"short":       {inHex[2:], 0o600, "line 1: expected 32 bytes"},
		"long":        {inHex + "00", 0o600, "line 1: expected 32 bytes"},
		"second line": {inHex + "\npassword\n", 0o600, "line 2: expected 32 bytes"},
		"empty":       {"", 0o600, "line 1: expected 32 bytes"},
		"missing":     {"", 0, "no such file"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "_"))
		if tt.mode != 0 {
			must.Succeed(t, os.WriteFile(path, []byte(tt.file), tt.mode))
			if err := os.Chmod(path, tt.mode); err != nil { // whatever the umask is
				t.Fatal(err)
			}
		}
		configuration := "history: {url: \"postgres://u@db/d\"}\nfleet: {instance: a, key_file: " + filepath.Base(path) + "}\nclusters: [{name: shop, balancer: {url: \"http://127.0.0.1\"}, nodes: [{id: n1, url: \"http://127.0.0.1:1\"}]}]\n"
		cfg, err := Parse(filepath.Join(dir, "stickwatch.yml"), []byte(configuration), func(string) (string, bool) { return "", false })
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), inHex[:8]) {
				t.Errorf("%s: got %v, want %q", name, err, tt.want)
			}
			continue
		}
		var keys []string
		for _, key := range cfg.Fleet.Keys {
			keys = append(keys, key.Reveal())
		}
		if got := strings.Join(keys, " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
