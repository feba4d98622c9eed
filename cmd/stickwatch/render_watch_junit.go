package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"stickwatch/checks"
	"stickwatch/internal/gate"
)

// answerProperties answer whether anybody was thrown out.
func answerProperties(s *junit.Testsuite, a gate.Summary) {
	s.AddProperty("answer", answerText(a))
	s.AddProperty("sessions_lost", strconv.Itoa(a.Lost))
	s.AddProperty("sessions_moved", strconv.Itoa(a.Moved))
	s.AddProperty("longest_outage_seconds", seconds(a.LongestOutage))
}

// watchTests are a test a promise of the deployment. One that nobody can tell
// to be kept is in error: the gate was not there.
func watchTests(w gate.Report, failOn checks.Severity) []junit.Testcase {
	var tests []junit.Testcase
	for _, p := range w.Guarantees {
		tests = append(tests, guaranteeTest(w, p, failOn))
	}
	if len(w.Doubts) > 0 {
		t := watchTest(w, "every node is watched")
		t.Error = &junit.Result{Message: cleanSentence(w.Doubts[0]), Type: string(checks.Inconclusive), Data: proseLines(w.Doubts)}
		tests = append(tests, t)
	}
	return tests
}

func watchTest(w gate.Report, guarantee string) junit.Testcase {
	return junit.Testcase{Classname: classname(w.Cluster, "deployment"), Name: name(guarantee), Time: seconds(w.To.Sub(w.From))}
}

func guaranteeTest(w gate.Report, p gate.Guarantee, failOn checks.Severity) junit.Testcase {
	t := watchTest(w, p.Name)
	text := proseLines(p.Reasons)
	switch {
	case p.Kept == checks.No && p.Severity.AtLeast(failOn):
		message := cleanSentence(p.Reasons[0])
		if more := len(p.Reasons) - 1; more > 0 {
			message += fmt.Sprintf(" (and %d more)", more)
		}
		t.Failure = &junit.Result{Message: message, Type: string(p.Code), Data: text}
	case p.Kept == checks.Unknown:
		t.Error = &junit.Result{Message: cleanSentence(p.Reasons[0]), Type: string(checks.Inconclusive), Data: text}
	case text != "":
		t.SystemOut = &junit.Output{Data: text}
	}
	return t
}

func proseLines(list []string) string {
	var lines []string
	for _, text := range list {
		lines = append(lines, cleanSentence(text))
	}
	return strings.Join(lines, "\n")
}
