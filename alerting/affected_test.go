package alerting_test

import (
	"math"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

func TestAffectedInWords(t *testing.T) {
	for _, tt := range []struct {
		affected checks.Affected
		english  string
		chinese  string
	}{
		{checks.Affected{}, "", ""},
		{checks.Affected{Share: 1.0 / 3, Of: 3}, "about 1 of 3 clients", "约 1/3 的客户端"},
		{checks.Affected{Share: 1.0 / 3}, "about 1 of 3 clients", "约 1/3 的客户端"},
		{checks.Affected{Share: 8.0 / 25, Of: 25}, "about 1 of 3 clients (25 observed)", "约 1/3 的客户端（观察了 25 个）"},
		{checks.Affected{Share: 2.0 / 3, Of: 6}, "about 2 of 3 clients (6 observed)", "约 2/3 的客户端（观察了 6 个）"},
		{checks.Affected{Share: 1.0 / 43, Of: 43}, "about 1 of 43 clients", "约 1/43 的客户端"},
		{checks.Affected{Share: 0.99, Of: 500}, "about 99 of 100 clients (500 observed)", "约 99/100 的客户端（观察了 500 个）"},
		{checks.Affected{Share: 1e-9, Of: 5}, "about 1 of 1000 clients (5 observed)", "约 1/1000 的客户端（观察了 5 个）"},
		{checks.Affected{Share: math.Nextafter(1, 0), Of: 1000}, "about 999 of 1000 clients", "约 999/1000 的客户端"},
		{checks.Affected{Share: 1, Of: 9}, "all clients (9 observed)", "全部客户端（观察了 9 个）"},
		{checks.Affected{Share: math.Inf(1)}, "all clients", "全部客户端"},
		{checks.Affected{Of: 25}, "none of 25 observed clients", "所观察的 25 个客户端均未受影响"},
		{checks.Affected{Share: math.NaN(), Of: 2}, "none of 2 observed clients", "所观察的 2 个客户端均未受影响"},
		{checks.Affected{Share: math.NaN()}, "", ""},
		{checks.Affected{Share: -1}, "", ""},
	} {
		if got := alerting.English.Affected(tt.affected); got != tt.english {
			t.Errorf("%+v in English: got %q, want %q", tt.affected, got, tt.english)
		}
		if got := alerting.Chinese.Affected(tt.affected); got != tt.chinese {
			t.Errorf("%+v in Chinese: got %q, want %q", tt.affected, got, tt.chinese)
		}
	}
}

// TestAffectedOfAnIncident: ended findings do not count while another is active, and
// a resolved incident keeps its last estimate.
func TestAffectedOfAnIncident(t *testing.T) {
	member := func(share float64, of int, ended bool) alerting.Member {
		m := alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: checks.Finding{Affected: checks.Affected{Share: share, Of: of}}}}
		if ended {
			m.Ended = time.Unix(1, 0)
		}
		return m
	}
	for name, tt := range map[string]struct {
		findings []alerting.Member
		want     checks.Affected
	}{
		"no finding":                             {nil, checks.Affected{}},
		"none is estimated":                      {[]alerting.Member{member(0, 0, false)}, checks.Affected{}},
		"the worst":                              {[]alerting.Member{member(0.2, 5, false), member(0.5, 4, false), member(0.5, 3, false)}, checks.Affected{Share: 0.5, Of: 4}},
		"an ended finding is ignored":            {[]alerting.Member{member(0.9, 9, true), member(0.1, 10, false)}, checks.Affected{Share: 0.1, Of: 10}},
		"only the ended finding has an estimate": {[]alerting.Member{member(0.9, 9, true), member(0, 0, false)}, checks.Affected{}},
		"resolved":                               {[]alerting.Member{member(0.9, 9, true), member(0.1, 10, true)}, checks.Affected{Share: 0.9, Of: 9}},
		"no client of 12 is affected":            {[]alerting.Member{member(0, 12, false), member(0, 0, false)}, checks.Affected{Of: 12}},
	} {
		i := alerting.Incident{Findings: tt.findings}
		if got := i.Affected(); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}
