package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// An impairment degrades the machine of stickwatch, which is a network namespace.
// Commands have its process id as $P, and that of the targets' namespace as $T.
type impairment struct {
	name, begin, end string
	asked            bool // its API answers meanwhile
}

var impairments = []impairment{
	{"its interface is down", "nsenter -t $P -n ip link set watch down", "nsenter -t $P -n ip link set watch up", true},
	{"nothing is connected to its interface", "nsenter -t $T -n ip link set targets down", "nsenter -t $T -n ip link set targets up", true},
	// No descriptor below the limit is free, however many stickwatch has at that moment.
	{"no descriptors", "prlimit --pid $P --nofile=3:1024", "prlimit --pid $P --nofile=1024:1024", false},
	{
		"no ports", "nsenter -t $P -n sysctl -qw net.ipv4.ip_local_port_range='60000 60001'",
		"nsenter -t $P -n sysctl -qw net.ipv4.ip_local_port_range='32768 60999'", true,
	},
}

// TestProberImpaired checks that an impairment is a single incident of stickwatch
// itself, and no verdict of clusters: the real program runs in a network namespace and
// watches healthy nodes.
func TestProberImpaired(t *testing.T) {
	t.Parallel()
	needNamespaces(t)
	n := startNamespaces(t)
	for i, impairment := range impairments {
		n.run(t, impairment.begin)
		n.await(t, impairment.name+": it is logged", func() bool { return n.countLines(`msg="stickwatch itself cannot probe`) == i+1 })
		if impairment.asked {
			n.await(t, impairment.name+": no verdict", func() bool {
				return !slices.ContainsFunc(n.verdicts(t), func(v string) bool { return v != "inconclusive" })
			})
		}
		n.run(t, impairment.end)
		n.await(t, impairment.name+": its end is logged", func() bool { return n.countLines(`msg="stickwatch can probe again`) == i+1 })
		n.await(t, impairment.name+": verdicts after it", func() bool {
			return !slices.ContainsFunc(n.verdicts(t), func(v string) bool { return v != "healthy" })
		})
		n.await(t, impairment.name+": the end of the incident", func() bool {
			all := n.incidents(t)
			return len(all) > 0 && all[0].State == "resolved"
		})
		if all := n.incidents(t); len(all) != i+1 || all[0].Code != "prober_impaired" || all[0].Cluster != "" {
			t.Fatalf("%s: got %+v, want one more incident, of stickwatch itself", impairment.name, all)
		}
	}
}

// needNamespaces skips a test that must not create network namespaces.
func needNamespaces(t *testing.T) {
	t.Helper()
	Require(t, "ip", "nsenter", "prlimit", "sysctl")
	cmd := exec.CommandContext(t.Context(), "true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Run(); err != nil {
		t.Skipf("network namespaces may not be made here: %v", err)
	}
}

// namespaces are those of the targets and of a stickwatch.
type namespaces struct {
	targets, prober int    // process ids
	log             string // path of stickwatch's log
	api             http.Client
}

func startNamespaces(t *testing.T) *namespaces {
	t.Helper()
	dir, err := os.MkdirTemp("", "stickwatch-") // short: it contains a socket
	must.Succeed(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "stickwatch")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "stickwatch/cmd/stickwatch").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	n := new(namespaces)
	var output io.Reader
	n.targets, output = n.start(t, os.Args[0], []string{"-test.run=^TestHoldTargets$", "-test.v"}, "LAB_HOLD_TARGETS=1")
	n.log = dir + "/log"
	wait := "exec 2>" + n.log + "; while ! ip route | grep -q 10.77.0; do sleep 0.1; done; exec " + program + " serve -c " + dir + "/stickwatch.yml --admin-socket " + dir + "/s"
	n.prober, _ = n.start(t, "sh", []string{"-c", wait})
	n.run(t, "ip link add targets netns $T type veth peer name watch netns $P")
	for _, command := range []string{"link set lo up", "addr add 10.77.0.1/24 dev targets", "addr add 10.77.0.2/24 dev targets", "link set targets up"} {
		n.run(t, "nsenter -t $T -n ip "+command)
	}
	var file strings.Builder
	for lines := bufio.NewScanner(output); lines.Scan() && lines.Text() != "that is all"; {
		if line, ours := strings.CutPrefix(lines.Text(), "| "); ours {
			file.WriteString(line + "\n")
		}
	}
	must.Succeed(t, os.WriteFile(dir+"/stickwatch.yml", []byte(file.String()), 0o600))
	for _, command := range []string{"link set lo up", "addr add 10.77.0.9/24 dev watch", "link set watch up"} {
		n.run(t, "nsenter -t $P -n ip "+command)
	}
	n.api.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", dir+"/s")
	}}
	n.await(t, "healthy", func() bool {
		verdicts := n.verdicts(t)
		return len(verdicts) == 2 && verdicts[0] == "healthy" && verdicts[1] == "healthy"
	})
	return n
}

// start runs a program in a new network namespace.
func (n *namespaces) start(t *testing.T, program string, args []string, env ...string) (pid int, output io.Reader) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	output, err := cmd.StdoutPipe()
	must.Succeed(t, err)
	var log strings.Builder
	cmd.Stderr = &log
	must.Succeed(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, log.String())
		}
	})
	return cmd.Process.Pid, output
}

// run runs a shell command.
func (n *namespaces) run(t *testing.T, command string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Env = append(os.Environ(), "P="+strconv.Itoa(n.prober), "T="+strconv.Itoa(n.targets))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (n *namespaces) await(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !true(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			content, _ := os.ReadFile(n.log)
			t.Fatalf("%s: not within a minute\n%s", what, content)
		}
	}
}

// countLines counts the lines of the log that contain a text.
func (n *namespaces) countLines(line string) int {
	content, err := os.ReadFile(n.log)
	if err != nil {
		return 0
	}
	return strings.Count(string(content), line)
}

type itsIncident struct{ State, Code, Cluster, Summary string }

func (n *namespaces) incidents(t *testing.T) []itsIncident {
	var answer struct{ Incidents []itsIncident }
	n.get(t, "/api/v1/incidents", &answer)
	return answer.Incidents
}

func (n *namespaces) verdicts(t *testing.T) (list []string) {
	var answer struct{ Clusters []struct{ Verdict string } }
	n.get(t, "/api/v1/clusters", &answer)
	for _, c := range answer.Clusters {
		list = append(list, c.Verdict)
	}
	return list
}

// get decodes an answer; there is none while the program starts or has no descriptors.
func (n *namespaces) get(t *testing.T, path string, answer any) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		res, err := n.api.Get("http://localhost" + path)
		if err == nil {
			err = json.NewDecoder(res.Body).Decode(answer)
			res.Body.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestHoldTargets is not a test: it runs the targets of TestProberImpaired, a demo at
// the addresses of two machines, and prints how to watch it as two clusters.
func TestHoldTargets(t *testing.T) {
	if os.Getenv("LAB_HOLD_TARGETS") == "" {
		t.Skip("only runs as a process of TestProberImpaired")
	}
	for ready := false; !ready; time.Sleep(100 * time.Millisecond) {
		addresses, err := net.InterfaceAddrs()
		ready = err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool { return a.String() == "10.77.0.2/24" })
	}
	d, err := demo.Start(demo.Config{})
	must.Succeed(t, err)
	say := func(format string, args ...any) { fmt.Printf("| "+format+"\n", args...) }
	say("listen: 127.0.0.1:0")
	say("history: {url: \"sqlite:%s/history.db\"}", t.TempDir())
	say("intervals: {canary: 1s, status: 2s, pages: 2s, dependencies: 2s}")
	say("alerting: {for: {warning: 1s}, resolve_after: 1s}")
	say("clusters:")
	for i, name := range []string{"shop", "blog"} {
		host := fmt.Sprintf("10.77.0.%d", i+1)
		say("  - name: %s", name)
		say("    timeout: 2s")
		say("    balancer: {url: %q, method: ip_hash, client_ip_header: %s}", forward(t, host, d.Balancer.URL()), d.Config.ClientIPHeader)
		say("    dependencies: [{name: %s, url: %q}]", demo.RedisServer, strings.Replace(forward(t, host, d.Redis.URL()), "http:", "tcp:", 1))
		say("    nodes:")
		for _, node := range d.Nodes {
			say("      - {id: %s, url: %q}", node.ID(), forward(t, host, node.URL()))
		}
	}
	fmt.Println("that is all")
	select {}
}

// forward forwards connections from an address of host to a URL, and returns the URL of
// that address.
func forward(t *testing.T, host, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	must.Succeed(t, err)
	_, address, _ := strings.Cut(to, "://")
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer here.Close()
				there, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer there.Close()
				go func() { _, _ = io.Copy(there, here) }()
				_, _ = io.Copy(here, there)
			}()
		}
	}()
	return "http://" + l.Addr().String()
}
