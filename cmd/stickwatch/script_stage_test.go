package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"stickwatch/alerting/chattest"
	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/demo"
	"stickwatch/probes"
)

// A fixture is the environment of a script: a demo cluster, a listener that must get no
// connections, and receivers.
type fixture struct {
	demo     *demo.Cluster
	listener *listener
	slack    *slacktest.Server
	hook     hook
	chats    chattest.Server
	env      []string // names of its variables
}

type fixtureKey struct{}

func fixtureOf(ts *testscript.TestScript) *fixture { return ts.Value(fixtureKey{}).(*fixture) }

func (f *fixture) close() {
	if f.demo != nil {
		f.demo.Close()
	}
	if f.listener != nil {
		f.listener.Close()
	}
}

func (f *fixture) setenv(ts *testscript.TestScript, name, value string) {
	ts.Setenv(name, value)
	f.env = append(f.env, name)
}

// command prepares a command that runs in the background. The script sees its output.
func (f *fixture) command(ts *testscript.TestScript, args []string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = os.Environ()
	for _, name := range f.env {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	return cmd
}

// startDemo is `demo [METHOD [MAXFAILS]]`: it starts a cluster and sets BALANCER, REDIS
// and NODE1 to NODE3.
func startDemo(ts *testscript.TestScript, _ bool, args []string) {
	s, config := fixtureOf(ts), demo.Config{}
	if len(args) > 0 {
		config.Method = probes.Method(args[0])
	}
	if len(args) > 1 {
		config.MaxFails = number(ts, args[1])
	}
	cluster, err := demo.Start(config)
	ts.Check(err)
	s.demo = cluster
	s.setenv(ts, "BALANCER", cluster.Balancer.URL())
	s.setenv(ts, "REDIS", cluster.Redis.URL())
	for i, n := range cluster.Nodes {
		s.setenv(ts, fmt.Sprintf("NODE%d", i+1), n.URL())
	}
}

// breakDemo is `break FAULT...`: it breaks the demo; without a fault it heals it.
func breakDemo(ts *testscript.TestScript, _ bool, args []string) {
	cluster := fixtureOf(ts).demo
	if len(args) == 0 {
		ts.Check(cluster.Heal())
	}
	for _, fault := range args {
		ts.Check(cluster.Break(fault))
	}
}

// A listener accepts and counts connections, and never answers.
type listener struct {
	net.Listener

	mu      sync.Mutex
	arrived sync.Cond // on mu: conns has grown
	conns   []net.Conn
}

// startListener is `listener`: it starts a listener, which replaces an earlier one, and
// sets LISTENER to its URL.
func startListener(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	l := &listener{Listener: ln}
	l.arrived.L = &l.mu
	go l.accept()
	s := fixtureOf(ts)
	if s.listener != nil {
		s.listener.Close()
	}
	s.listener = l
	s.setenv(ts, "LISTENER", "http://"+ln.Addr().String())
}

func (l *listener) accept() {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		l.mu.Lock()
		l.conns = append(l.conns, conn)
		l.mu.Unlock()
		l.arrived.Broadcast()
	}
}

// await waits for a wanted connection and returns how many came before it.
func (l *listener) await(wanted func(net.Conn) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if i := slices.IndexFunc(l.conns, wanted); i >= 0 {
			return i
		}
		l.arrived.Wait()
	}
}

// count returns the number of connections. It opens one itself, which is accepted after
// all pending ones.
func (l *listener) count() (int, error) {
	own, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return 0, err
	}
	defer own.Close()
	return l.await(func(c net.Conn) bool { return c.RemoteAddr().String() == own.LocalAddr().String() }), nil
}

func (l *listener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		conn.Close()
	}
	return err
}

// wantNoConnections checks that the listener got no connection.
func wantNoConnections(ts *testscript.TestScript, _ bool, _ []string) {
	n, err := fixtureOf(ts).listener.count()
	ts.Check(err)
	if n > 0 {
		ts.Fatalf("%d connections came, want none", n)
	}
}

var signals = map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}

// interrupts is `interrupts INT|TERM STATUS COMMAND...`: it runs a command, signals it once
// it has connected to the listener, and checks the exit status.
func interrupts(ts *testscript.TestScript, _ bool, args []string) {
	s := fixtureOf(ts)
	cmd := s.command(ts, args[2:])
	ts.Check(cmd.Start())
	s.listener.await(func(net.Conn) bool { return true })
	ts.Check(cmd.Process.Signal(signals[args[0]]))
	checkStatus(ts, cmd.Wait(), number(ts, args[1]))
}

// startOperator is `operator`: it starts a server through which the program `operate`
// changes the demo, as the command of a deployment changes a real cluster.
func startOperator(ts *testscript.TestScript, _ bool, _ []string) {
	s := fixtureOf(ts)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.execute(strings.Fields(r.FormValue("do"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	ts.Defer(server.Close)
	s.setenv(ts, "OPERATOR", server.URL)
}

// execute executes "restart NODE", "break FAULT" or "heal".
func (f *fixture) execute(words []string) error {
	switch {
	case len(words) == 2 && words[0] == "restart":
		n, err := f.demo.Node(words[1])
		if err == nil {
			err = n.Restart()
		}
		return err
	case len(words) == 2 && words[0] == "break":
		return f.demo.Break(words[1])
	case len(words) == 1 && words[0] == "heal":
		return f.demo.Heal()
	}
	return fmt.Errorf("operating: no such thing as %q", words)
}

// operate is a program: it sends its arguments to the operator and prints them on both
// streams.
func operate() {
	resp, err := http.PostForm(os.Getenv("OPERATOR"), map[string][]string{"do": {strings.Join(os.Args[1:], " ")}})
	if err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, "operate: it was not done:", err)
		os.Exit(9)
	}
	fmt.Println("done:", strings.Join(os.Args[1:], " "))
	fmt.Fprintln(os.Stderr, "noted:", strings.Join(os.Args[1:], " "))
}

// signalsAt is `signals heal|INT|TERM TEXT STATUS COMMAND...`: it runs a command, heals the demo or
// signals the command once a line of its standard error contains TEXT, and checks the exit status.
func signalsAt(ts *testscript.TestScript, _ bool, args []string) {
	s := fixtureOf(ts)
	cmd := s.command(ts, args[3:])
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	reached := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(ts.Stderr(), lines.Text())
		switch {
		case reached || !strings.Contains(lines.Text(), args[1]):
			continue
		case args[0] == "heal":
			ts.Check(s.demo.Heal())
		default:
			ts.Check(cmd.Process.Signal(signals[args[0]]))
		}
		reached = true
	}
	checkStatus(ts, cmd.Wait(), number(ts, args[2]))
}
