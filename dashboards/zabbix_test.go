package dashboards

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

const zabbixTemplate = "zabbix/stickwatch.yaml"

// TestZabbixTemplate: the template is YAML, and every uuid in it is a version 4 of its own,
// which Zabbix demands.
func TestZabbixTemplate(t *testing.T) {
	content, err := os.ReadFile(zabbixTemplate)
	must.Succeed(t, err)
	template := readYAML[map[string]any](t, zabbixTemplate)
	if export, ok := template["zabbix_export"].(map[string]any); !ok || export["version"] != "6.0" {
		t.Errorf("got %v, want an export of 6.0", template)
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`uuid: (\S+)`).FindAllStringSubmatch(string(content), -1) {
		if !regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`).MatchString(m[1]) || seen[m[1]] {
			t.Errorf("uuid %s is no version 4, or there are two", m[1])
		}
		seen[m[1]] = true
	}
}

// TestZabbix imports the template into a real Zabbix, which polls a demo whose Redis is
// down: clusters, nodes and sessions are discovered, no item fails, and of all triggers
// only that of the cause fires, with its text.
func TestZabbix(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the command")
	}
	t.Parallel()
	z := zabbix{t: t, url: lab.Zabbix(t).API()}
	binary, demo := filepath.Join(t.TempDir(), "stickwatch"), lab.FreeAddr(t)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/stickwatch").CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	runDemo(t, binary, demo, "redis-down")
	host := z.monitor("http://" + demo)

	z.await(host, map[string]string{ // a number that has not been polled is "0"
		`stickwatch.cluster.critical["demo"]`: "4", `stickwatch.cluster.verdict["demo"]`: "failing",
		`stickwatch.node.up["demo","node1"]`: "1", `stickwatch.node.up["demo","node3"]`: "1",
		`stickwatch.node.findings["demo","node1"]`: "0",
	}, `stickwatch.session.sticky["demo"]`, `stickwatch.cluster.sessions["demo"]`)
	problems := z.awaitProblems(host)
	want := []string{"demo: Redis Server is unavailable to node1, node2, node3"}
	expect.Equal(t, "problems", want, problems)
}

// A zabbix is the API of a Zabbix.
type zabbix struct {
	t     *testing.T
	url   string
	token string
}

// call calls a method and decodes its result; nil: it is ignored.
func (z *zabbix) call(method string, params, into any) {
	z.t.Helper()
	request := map[string]any{"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
	if z.token != "" {
		request["auth"] = z.token
	}
	body, err := json.Marshal(request)
	must.Succeed(z.t, err)
	res, err := http.Post(z.url, "application/json-rpc", bytes.NewReader(body))
	must.Succeed(z.t, err)
	defer res.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  any
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Error != nil {
		z.t.Fatalf("%s: got %v, error %v", method, answer.Error, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Result, into); err != nil {
			z.t.Fatalf("%s: %v in %s", method, err, answer.Result)
		}
	}
}

// monitor imports the template twice, as an update does, and links a host to it.
func (z *zabbix) monitor(address string) (host string) {
	z.t.Helper()
	source, err := os.ReadFile(zabbixTemplate)
	must.Succeed(z.t, err)
	z.call("user.login", map[string]string{"user": "Admin", "password": "zabbix"}, &z.token)
	both := map[string]bool{"createMissing": true, "updateExisting": true}
	rules := map[string]any{"groups": both, "templates": both, "items": both, "triggers": both, "discoveryRules": both}
	for range 2 {
		z.call("configuration.import", map[string]any{"format": "yaml", "rules": rules, "source": string(source)}, nil)
	}
	var templates []struct {
		ID string `json:"templateid"`
	}
	z.call("template.get", map[string]any{"filter": map[string]string{"host": "stickwatch by HTTP"}}, &templates)
	var created struct {
		IDs []string `json:"hostids"`
	}
	z.call("host.create", map[string]any{
		"host": "stickwatch", "groups": []any{map[string]string{"groupid": "2"}}, "templates": templates,
		"macros": []any{map[string]string{"macro": "{$STICKWATCH.URL}", "value": address}},
	}, &created)
	return created.IDs[0]
}

// pollTimeout is how long Zabbix may take to discover and poll.
const pollTimeout = 4 * time.Minute

// await polls the items of a host until some have the wanted values, and others any. No item may
// have an error.
func (z *zabbix) await(host string, want map[string]string, others ...string) {
	z.t.Helper()
	for deadline := time.Now().Add(pollTimeout); ; time.Sleep(time.Second) {
		var items []struct {
			Key   string `json:"key_"`
			Value string `json:"lastvalue"`
			Error string
		}
		z.call("item.get", map[string]any{"hostids": host, "output": []string{"key_", "lastvalue", "error"}}, &items)
		got, missing := map[string]string{}, slices.Clone(others)
		for _, i := range items {
			if i.Error != "" {
				z.t.Fatalf("%s: %s", i.Key, i.Error)
			}
			if _, wanted := want[i.Key]; wanted {
				got[i.Key] = i.Value
			}
			missing = slices.DeleteFunc(missing, func(key string) bool { return key == i.Key && i.Value != "" })
		}
		if maps.Equal(got, want) && len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			z.t.Fatalf("after %s got %v, want %v; without a value: %q", pollTimeout, got, want, missing)
		}
	}
}

// awaitProblems returns the problems of a host once it has some.
func (z *zabbix) awaitProblems(host string) []string {
	z.t.Helper()
	for deadline := time.Now().Add(pollTimeout); ; time.Sleep(time.Second) {
		var problems []struct{ Name string }
		z.call("problem.get", map[string]any{"hostids": host}, &problems)
		var names []string
		for _, p := range problems {
			names = append(names, strings.TrimSpace(p.Name))
		}
		if len(names) > 0 || time.Now().After(deadline) {
			return names
		}
	}
}
