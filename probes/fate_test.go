package probes

import "testing"

func TestTraceOutcome(t *testing.T) {
	id, other := FingerprintOf("one"), FingerprintOf("two")
	answer := func(status int, session Fingerprint, value string) Exchange {
		return Exchange{Status: status, Session: session, Value: value}
	}
	tests := []struct {
		name    string
		counter int
		ex      Exchange
		want    SessionOutcome
	}{
		{"same value", 1002, answer(200, id, "1002"), SessionKept},
		{"same value, new id", 1002, answer(200, other, "1002"), SessionKept},
		{"a value whose answer was lost", 1002, answer(200, id, "1003"), SessionKept},
		{"a value never sent", 1002, answer(200, id, "1004"), SessionLost},
		{"an earlier value", 1002, answer(200, id, "1001"), SessionStale},
		{"a value from before the walk", 1002, answer(200, id, "1000"), SessionLost},
		{"another walk's", 1002, answer(200, id, "2002"), SessionLost},
		{"no value", 1002, answer(200, id, ""), SessionLost},
		{"no number", 1002, answer(200, id, "0x3ea"), SessionLost},
		{"too great a number", 1002, answer(200, id, "99999999999999999999"), SessionLost},
		{"same id", 0, answer(200, id, ""), SessionKept},
		{"another id", 0, answer(200, other, ""), SessionLost},
		{"no id", 0, answer(200, "", ""), SessionUnknown},
		{"no answer", 1002, Exchange{Failure: FailureTimeout}, SessionUnknown},
		{"broken answer", 1002, Exchange{Status: 200, Failure: FailureReset}, SessionUnknown},
		{"error", 1002, answer(503, "", ""), SessionUnknown},
		{"not found", 0, answer(404, other, ""), SessionUnknown},
		{"sent elsewhere", 1002, answer(302, "", ""), SessionUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Trace{Base: 1000, Steps: []Step{
				{Kind: StepFirst, Exchange: answer(200, id, "")},
				{Kind: StepFollow, Counter: tt.counter, Exchange: tt.ex},
				{Kind: StepWrite, Counter: 1003, Exchange: Exchange{Failure: FailureTimeout}},
			}}
			if got := w.SessionOutcome(1); got != tt.want {
				t.Errorf("walk: got %q, want %q", got, tt.want)
			}
			if got := w.SessionOutcome(0) + w.SessionOutcome(2); got != SessionUnknown {
				t.Errorf("other steps: got %q, want none", got)
			}
			x := FailoverCheck{Counter: tt.counter, Base: 1000, Tried: 1003, Session: id, There: tt.ex}
			if got := x.SessionOutcome(); got != tt.want {
				t.Errorf("crossing: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFirstOfNoSteps(t *testing.T) {
	if first := (Trace{}).First(); first.Answered() || first.OK() {
		t.Errorf("got %+v, want no answer", first)
	}
}
