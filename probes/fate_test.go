package probes

import "testing"

func TestWalkFate(t *testing.T) {
	id, other := FingerprintOf("one"), FingerprintOf("two")
	answer := func(status int, session Fingerprint, value string) Exchange {
		return Exchange{Status: status, Session: session, Value: value}
	}
	tests := []struct {
		name    string
		counter int
		ex      Exchange
		want    Fate
	}{
		{"same value", 1002, answer(200, id, "1002"), FateKept},
		{"same value, new id", 1002, answer(200, other, "1002"), FateKept},
		{"a value whose answer was lost", 1002, answer(200, id, "1003"), FateKept},
		{"a value never sent", 1002, answer(200, id, "1004"), FateLost},
		{"an earlier value", 1002, answer(200, id, "1001"), FateRolledBack},
		{"a value from before the walk", 1002, answer(200, id, "1000"), FateLost},
		{"another walk's", 1002, answer(200, id, "2002"), FateLost},
		{"no value", 1002, answer(200, id, ""), FateLost},
		{"no number", 1002, answer(200, id, "0x3ea"), FateLost},
		{"too great a number", 1002, answer(200, id, "99999999999999999999"), FateLost},
		{"same id", 0, answer(200, id, ""), FateKept},
		{"another id", 0, answer(200, other, ""), FateLost},
		{"no id", 0, answer(200, "", ""), FateUntold},
		{"no answer", 1002, Exchange{Failure: FailureTimeout}, FateUntold},
		{"broken answer", 1002, Exchange{Status: 200, Failure: FailureReset}, FateUntold},
		{"error", 1002, answer(503, "", ""), FateUntold},
		{"not found", 0, answer(404, other, ""), FateUntold},
		{"sent elsewhere", 1002, answer(302, "", ""), FateUntold},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := Walk{Base: 1000, Steps: []Step{
				{Kind: StepFirst, Exchange: answer(200, id, "")},
				{Kind: StepFollow, Counter: tt.counter, Exchange: tt.ex},
				{Kind: StepWrite, Counter: 1003, Exchange: Exchange{Failure: FailureTimeout}},
			}}
			if got := w.Fate(1); got != tt.want {
				t.Errorf("walk: got %q, want %q", got, tt.want)
			}
			if got := w.Fate(0) + w.Fate(2); got != FateUntold {
				t.Errorf("other steps: got %q, want none", got)
			}
			x := Crossing{Counter: tt.counter, Base: 1000, Tried: 1003, Session: id, There: tt.ex}
			if got := x.Fate(); got != tt.want {
				t.Errorf("crossing: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFirstOfNoSteps(t *testing.T) {
	if first := (Walk{}).First(); first.Answered() || first.OK() {
		t.Errorf("got %+v, want no answer", first)
	}
}
