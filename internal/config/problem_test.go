package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

func TestLoadUnreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yml")
	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got error %v, want one of %s that does not exist", err, path)
	}
}

func TestLoad(t *testing.T) {
	c, err := Load("testdata/good/contract.yml")
	if err != nil || c.Clusters[0].Name != "shop" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestHugeFile(t *testing.T) {
	_, err := Parse("huge.yml", make([]byte, maxFile+1), testenv)
	if want := "huge.yml: is larger than 1024 KiB: this cannot be a configuration"; errorText(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestManyProblems checks that the number of problems is limited.
func TestManyProblems(t *testing.T) {
	var text strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&text, "key_%d: 1\n", i)
	}
	_, err := Parse("many.yml", []byte(text.String()), testenv)
	problems, _ := errors.AsType[Problems](err)
	if len(problems) != maxProblems+1 {
		t.Fatalf("got %d problems, want %d and a last", len(problems), maxProblems)
	}
	if got, want := problems[maxProblems].Error(), "many.yml: and more problems: repair these first"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLongLineIsCut checks that the excerpt of a long line has at most 200 bytes and
// contains the caret.
func TestLongLineIsCut(t *testing.T) {
	line := "clusters: [" + strings.Repeat("{}, ", 1000) + "{x: 1}]"
	_, err := Parse("long.yml", []byte(line), testenv)
	problems, _ := errors.AsType[Problems](err)
	if len(problems) == 0 {
		t.Fatalf("got error %v, want problems", err)
	}
	for _, p := range problems {
		if len(p.Source) > 200 || p.caret > len(p.Source) {
			t.Fatalf("got a source of %d bytes with its caret at %d", len(p.Source), p.caret)
		}
	}
}

// TestWindowsFile checks that Windows line ends and a byte order mark are accepted, and
// do not shift columns.
func TestWindowsFile(t *testing.T) {
	_, err := Parse("windows.yml", []byte("\ufefflisten: x\r\nclusters: []\r\n"), testenv)
	want := "windows.yml:1:9: listen: expected host:port such as 127.0.0.1:9748, got \"x\"\n" +
		"windows.yml:2:11: clusters: expected at least one cluster"
	if errorText(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestNumbersAndBooleansAreTextWhereTextIsExpected(t *testing.T) {
	const file = "clusters: [{name: true, balancer: {url: http://10.0.0.9}, nodes: [{id: 01, url: http://10.0.0.1}]}]"
	c, err := Parse("stickwatch.yml", []byte(file), testenv)
	if err != nil || c.Clusters[0].Name != "true" || c.Clusters[0].Nodes[0].ID != "01" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestMask(t *testing.T) {
	for line, want := range map[string]string{
		"token: abc":                                            "token: ***",
		`  slack: {token: "a, b", channel: c}`:                  `  slack: {token: ***, channel: c}`,
		"secret: 'it''s' # why":                                 "secret: *** # why",
		"token: ${TOKEN}":                                       "token: ${TOKEN}",
		"token: ${TOKEN:-abc}":                                  "token: ***",
		"token_file: /etc/token":                                "token_file: /etc/token",
		"password=abc":                                          "password=***",
		`"webhook_url": https://hooks/x`:                        `"webhook_url": ***`,
		"url: redis://:p@ss@10.0.0.5/0":                         "url: redis://***@10.0.0.5/0",
		"url: https://ops.example/hook?token=abc":               "url: https://ops.example/hook?token=***",
		"url: redis://user:s3cr3t PASSw@127.0.0.1:4/0":          "url: redis://***@127.0.0.1:4/0",
		"url: user:s3cr3t@127.0.0.1":                            "url: ***@127.0.0.1",
		`{name: DB, url: "root:s3cr3t@tcp(127.0.0.1:3306)/db"}`: `{name: DB, url: "***@tcp(127.0.0.1:3306)/db"}`,
		"  - url: redis:/user:s3cr3t@h":                         "  - url: ***@h",
		"haproxy_stats: admin:s3cr3t@10.0.0.9/stats":            "haproxy_stats: ***@10.0.0.9/stats",
		"heartbeat: {interval: 5s, url: https://hc.example/x}":  "heartbeat: ***",
		"path: /status":                                         "path: /status",
	} {
		if got, _ := mask(line, 0, secretSpans(line, nil)); got != want {
			t.Errorf("mask(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"id", "url", "host", "label", "server", "weight", "down", "backup", "primary"}
	for word, want := range map[string]string{
		"wieght": "weight", "Weight": "weight", "wait": "", "ulr": "url", "uri": "url", "ID": "id", "colour": "", "back-up": "backup", "": "",
	} {
		if got := suggestion(word, keys); got != want {
			t.Errorf("suggestion(%q) = %q, want %q", word, got, want)
		}
	}
}

// TestProblemHidesPassword checks that a message about an invalid URL contains no
// password.
func TestProblemHidesPassword(t *testing.T) {
	const file = "clusters: [{name: shop, balancer: {url: http://10.0.0.9%s}, nodes: [{id: node1, url: %s}], dependencies: [{name: DB, url: %s}]}]"
	for _, wrong := range []string{
		"redis://user:s3cr3t PASSw@127.0.0.1:4/0", "user:s3cr3t@127.0.0.1", "root:s3cr3t@tcp(127.0.0.1:3306)/db",
		"redis:/user:s3cr3t@h", "redis://user:99999/s3cr3t@h", "redis://user:s3cr3t/w@h", "a:s3cr3t@redis://h",
		"redis://user:s3cr3t@h:99999", "redis://user:s3cr3t@", "redis://user:99999s3cr3t@h#x",
	} {
		for _, text := range []string{
			fmt.Sprintf(file, "", "http://10.0.0.1", `"`+wrong+`"`),
			fmt.Sprintf(file, "", `"`+wrong+`"`, "tcp://10.0.0.2:1"),
			fmt.Sprintf(file, ", evidence: {haproxy_stats: '"+wrong+"'}", "http://10.0.0.1", "tcp://10.0.0.2:1"),
			"clusters:\n- name: shop\n  balancer:\n    url:\n    - " + wrong + "\n    - " + wrong + "\n  nodes: [{id: node1, url: http://10.0.0.1}]\n",
			"clusters:\n- name: shop\n  balancer:\n    url:\n      " + wrong + "\n  nodes: [{id: node1, url: http://10.0.0.1}]\n",
		} {
			_, err := Parse("stickwatch.yml", []byte(text), testenv)
			problems, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("%s: got %v, want problems", text, err)
			}
			if shown := problems.Excerpt(); strings.Contains(shown, "s3cr3t") || strings.Contains(shown, "99999/") || strings.Contains(shown, "PASS") {
				t.Errorf("%s\n shows\n%s", text, shown)
			}
		}
	}
	_, err := FromFlags(Flags{Balancer: []string{"user:s3cr3t@h"}, Nodes: []string{"user:s3cr3t@h"}})
	if text := errorText(err); text == "" || strings.Contains(text, "s3cr3t") {
		t.Errorf("flags: got %s", text)
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"节点":                       `"节点"`,
		"a\nb\x1b[31mc\u202ed":     `"a b[31mcd"`,
		"redis://:p@ss@10.0.0.5":   `"redis://***@10.0.0.5"`,
		strings.Repeat("x", 100):   `"` + strings.Repeat("x", 60) + `..."`,
		"https://h/hook?token=abc": `"https://h/hook?token=***"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("quote(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestSharedProblem checks that a problem of a setting that all clusters inherit is
// reported once.
func TestSharedProblem(t *testing.T) {
	cluster := "{name: %s, balancer: {url: http://10.0.0.9}, nodes: [{id: node1, url: http://10.0.0.1}]}"
	text := "clusters: [" + fmt.Sprintf(cluster, "a") + ", " + fmt.Sprintf(cluster, "b") + "]\nintervals: {status: 2s}\n"
	_, err := Parse("stickwatch.yml", []byte(text), testenv)
	want := "stickwatch.yml:2:21: intervals.status: the time-out of 5s is longer than the status interval of 2s: probes would overlap"
	if errorText(err) != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

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
			must.Succeed(t, os.Chmod(path, tt.mode)) // whatever the umask is
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
		expect.Equal(t, name, tt.want, strings.Join(keys, " "))
	}
}
