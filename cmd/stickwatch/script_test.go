package main

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stickwatch/internal/expect"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run the test binary as stickwatch.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stickwatch": main, "operate": operate})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *expect.Update,
		Setup: func(env *testscript.Env) error {
			s := new(fixture)
			env.Values[fixtureKey{}] = s
			env.Defer(s.close)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			if condition == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":      exits,
			"shape":      shape,
			"xml":        wellFormed,
			"clients":    clients,
			"demo":       startDemo,
			"break":      breakDemo,
			"listener":   startListener,
			"unasked":    wantNoConnections,
			"interrupts": interrupts,
			"operator":   startOperator,
			"signals":    signalsAt,
			"served":     startDaemon,
			"awaits":     awaits,
			"likeAPI":    likeAPI,
			"receivers":  startReceivers,
			"received":   received,
			"refuses":    slackRefuses,
		},
	})
}

// exits is `exits STATUS COMMAND...`: the command must exit with that status. The built-in
// `! exec` accepts any status but 0.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := number(ts, args[0])
	checkStatus(ts, ts.Exec(args[1], args[2:]...), want)
}

func checkStatus(ts *testscript.TestScript, err error, want int) {
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("running: %v", err)
	}
	if got != want {
		ts.Fatalf("exit status: got %d, want %d", got, want)
	}
}

// wellFormed is `xml FILE`: the file must be one well-formed XML document.
func wellFormed(ts *testscript.TestScript, _ bool, args []string) {
	decoder := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	elements := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	if elements == 0 {
		ts.Fatalf("no XML element in %s", args[0])
	}
}

// clients is `clients COUNT FILE`: it writes that many addresses, a line each.
func clients(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	defer f.Close()
	w := bufio.NewWriter(f)
	writeClients(w, number(ts, args[0]))
	ts.Check(w.Flush())
}

func writeClients(w io.Writer, n int) {
	for i := range n {
		fmt.Fprintf(w, "%d.%d.%d.%d\n", 1+i>>24, i>>16&0xff, i>>8&0xff, i&0xff)
	}
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// shape is `shape FILE WANT`: the JSON in FILE must have every field of WANT, of the same
// kind. A list in WANT has one element, which all elements in FILE must match. FILE may
// have more fields.
func shape(ts *testscript.TestScript, _ bool, args []string) {
	var got, want any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &got))
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &want))
	if wrong := differences("", got, want); len(wrong) > 0 {
		ts.Fatalf("%d differences in shape: %q", len(wrong), wrong)
	}
}

// nullable are the fields that may be null.
var nullable = []string{"clock_offset_ms", "up"}

func differences(path string, got, want any) (wrong []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %T, want an object", path, got)}
		}
		for key, value := range want {
			field, ok := object[key]
			if !ok {
				wrong = append(wrong, path+"."+key+" is missing")
				continue
			}
			if field != nil || !slices.Contains(nullable, key) {
				wrong = slices.Concat(wrong, differences(path+"."+key, field, value))
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %T, want a list", path, got)}
		}
		for i, element := range list {
			wrong = slices.Concat(wrong, differences(fmt.Sprintf("%s[%d]", path, i), element, want[0]))
		}
	default:
		if fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) {
			wrong = append(wrong, fmt.Sprintf("%s: got %T, want %T", path, got, want))
		}
	}
	return wrong
}
