package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// operator: starts one whom the program `operate` tells what to do with the
// demo. It is what a deployment's command is to a real cluster.
func startOperator(ts *testscript.TestScript, _ bool, _ []string) {
	s := fixtureOf(ts)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.operate(strings.Fields(r.FormValue("do"))); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	ts.Defer(server.Close)
	s.setenv(ts, "OPERATOR", server.URL)
}

// operate does what was asked for: "restart NODE", "break FAULT" or "heal".
func (s *fixture) operate(words []string) error {
	switch {
	case len(words) == 2 && words[0] == "restart":
		for _, n := range s.demo.Nodes {
			if n.ID() == words[1] {
				return n.Restart()
			}
		}
	case len(words) == 2 && words[0] == "break":
		return s.demo.Break(words[1])
	case len(words) == 1 && words[0] == "heal":
		return s.demo.Heal()
	}
	return fmt.Errorf("operating: no such thing as %q", words)
}

// operate is a program: it has the operator do what its arguments say, prints
// that on both of its streams, and lets the users notice.
func operate() {
	resp, err := http.PostForm(os.Getenv("OPERATOR"), map[string][]string{"do": {strings.Join(os.Args[1:], " ")}})
	if err != nil || resp.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, "operate: it was not done:", err)
		os.Exit(9)
	}
	fmt.Println("done:", strings.Join(os.Args[1:], " "))
	fmt.Fprintln(os.Stderr, "noted:", strings.Join(os.Args[1:], " "))
}

// signals INT|TERM TEXT STATUS COMMAND...: runs a command, signals it as soon as
// a line of its standard error has TEXT, and checks its exit status.
func signalsAt(ts *testscript.TestScript, _ bool, args []string) {
	cmd := fixtureOf(ts).command(ts, args[3:])
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var once sync.Once
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(ts.Stderr(), lines.Text())
		if strings.Contains(lines.Text(), args[1]) {
			once.Do(func() { ts.Check(cmd.Process.Signal(signals[args[0]])) })
		}
	}
	checkStatus(ts, cmd.Wait(), number(ts, args[2]))
}
