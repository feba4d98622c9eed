package probes

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// TestStrategyStatus reads the example in the vendor's documentation.
func TestStrategyStatus(t *testing.T) {
	body, err := os.ReadFile("testdata/strategy_status.json")
	must.Succeed(t, err)
	got := parseStatus(body, []string{"scaling", "enableTls", "logging", "main", "nothing"})
	want := &StatusReport{
		State:    "paused",
		Reason:   "The following dependent services are unavailable: DB Service, Redis Server",
		Version:  "11.0.0.720",
		UpSince:  time.Date(2018, 4, 18, 2, 12, 42, 0, time.UTC),
		PID:      "900",
		Settings: map[string]string{"scaling": "horizontal", "enableTls": "false", "logging": "true", "main": ""},
	}
	expect.Equal(t, "status", want, got)
	if !got.Paused() {
		t.Error("got not paused, want paused")
	}
	expect.Equal(t, "unavailable", []string{"DB Service", "Redis Server"}, got.Unavailable())
}

func TestParseStatus(t *testing.T) {
	tests := []struct {
		name, body string
		want       *StatusReport
	}{
		{"empty object", `{}`, &StatusReport{}},
		{"byte order mark", "\ufeff{\"state\":\"running\"}", &StatusReport{State: "running"}},
		{"large numbers", `{"version":20240115,"main":{"pid":4194304}}`, &StatusReport{Version: "20240115", PID: "4194304"}},
		{"pid at the top", `{"pid":1,"main":{"pid":2}}`, &StatusReport{PID: "1"}},
		{"terminal escapes", `{"state":"\u001b[31mrun\nning\u202e"}`, &StatusReport{State: "[31mrun ning"}},
		{"wrong types", `{"state":["a"],"reason":7,"version":null,"main":[]}`, &StatusReport{}},
		{"garbage after it", `{"state":"paused"}<!-- 3 ms -->{"state":"running"}`, &StatusReport{State: "paused"}},
		{"no JSON number", `{"state":"paused","load":NaN}`, nil},
		{"capital keys", `{"State":"paused","MAIN":{"Pid":7},"pid":""}`, &StatusReport{State: "paused"}},
		{"exact keys first", `{"STATE":"running","state":"paused"}`, &StatusReport{State: "paused"}},
		{"reason false", `{"reason":false}`, &StatusReport{}},
		{"reason 0", `{"reason":0}`, &StatusReport{}},
		{"reason null", `{"reason":null}`, &StatusReport{}},
		{"reason empty list", `{"reason":[]}`, &StatusReport{}},
		{"reason list", `{"reason":["DB Service",{"code":5}]}`, &StatusReport{Reason: "DB Service, code: 5"}},
		{"reason object", `{"main":{"reason":{"store":"gone","db":"down"}}}`, &StatusReport{Reason: "db: down, store: gone"}},
		{"reason cut", `{"reason":"` + strings.Repeat("x", 9999) + `"}`, &StatusReport{Reason: strings.Repeat("x", MaxValue-3) + "…"}},
		{"page", `<html>`, nil},
		{"list", `[]`, nil},
		{"null", `null`, nil},
		{"cut", `{"state":"run`, nil},
		{"nothing", ``, nil},
		{"nested without end", `{"main":` + strings.Repeat("[", 99999), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			expect.Equal(t, "status", tt.want, parseStatus([]byte(tt.body), nil))
		})
	}
}

func TestParseUpSince(t *testing.T) {
	want := time.Date(2018, 4, 8, 2, 12, 42, 0, time.UTC)
	for _, text := range []string{
		"2018-4-8 02:12:42", "2018-04-08 02:12:42", "2018-4-8T02:12:42", "2018-04-08T02:12:42Z",
		"2018-04-08T10:12:42+08:00", "2018-04-08T02:12:42.000Z", "2018-4-8 2:12:42",
	} {
		if got := parseUpSince(text); !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"", "yesterday", "1523758362", "2018-13-8 02:12:42"} {
		if got := parseUpSince(text); !got.IsZero() {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

func TestPaused(t *testing.T) {
	for _, tt := range []struct {
		report *StatusReport
		want   bool
	}{
		{nil, false},
		{&StatusReport{}, false},
		{&StatusReport{State: "running"}, false},
		{&StatusReport{State: "whatever"}, false},
		{&StatusReport{State: "Paused "}, true},
		{&StatusReport{State: "running", Reason: "no"}, true},
	} {
		if got := tt.report.Paused(); got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.report, got, tt.want)
		}
	}
}

func TestUnavailable(t *testing.T) {
	for _, tt := range []struct {
		reason string
		want   []string
	}{
		{"", nil},
		{"out of memory", nil},
		{"These are unavailable:", nil},
		{"Services Unavailable: DB Service.", []string{"DB Service"}},
		{"unavailable: , a,, b ;", []string{"a", "b"}},
		// The lower-case letter is longer than the upper-case one, in bytes.
		{strings.Repeat("Ⱥ", 40) + "UNAVAILABLE: Redis Server", []string{"Redis Server"}},
		{strings.Repeat("İ", 40) + "unavailable:", nil},
	} {
		expect.Equal(t, fmt.Sprintf("%q", tt.reason), tt.want, (&StatusReport{Reason: tt.reason}).Unavailable())
	}
	if got := (*StatusReport)(nil).Unavailable(); got != nil {
		t.Errorf("no report: got %q", got)
	}
}

func FuzzParseStatus(f *testing.F) {
	body, err := os.ReadFile("testdata/strategy_status.json")
	must.Succeed(f, err)
	f.Add(body)
	f.Add([]byte(`{"reason":"ȺUNAVAILABLE: a","main":{"pid":1e9,"up_since":"2018-4-18 02:12:42"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		report := parseStatus(body, []string{"scaling"})
		if report == nil {
			return
		}
		report.Paused()
		for _, text := range append(report.Unavailable(), report.State, report.Reason, report.Version, report.PID, report.Settings["scaling"]) {
			if text != Clean(text, MaxValue) {
				t.Errorf("got %q, want it clean", text)
			}
		}
	})
}

func TestStatusRange(t *testing.T) {
	r := StatusRange{From: 200, To: 399}
	for status, want := range map[int]bool{0: false, 199: false, 200: true, 302: true, 399: true, 400: false} {
		if got := r.Has(status); got != want {
			t.Errorf("%s has %d: got %v, want %v", r, status, got, want)
		}
	}
	if got, want := fmt.Sprint(r, StatusRange{204, 204}), "200-399 204"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
