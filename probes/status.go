package probes

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// parseStatus reads a /status answer; nil when it is no JSON object.
//
// The shape is that of Strategy Collaboration Server, which others follow:
// state, reason and version at the top, up_since and pid under "main".
func parseStatus(body []byte, settings []string) *StatusReport {
	var top map[string]any
	if json.Unmarshal(body, &top) != nil {
		return nil
	}
	inner, _ := top["main"].(map[string]any)
	find := func(key string) string {
		if v, ok := top[key]; ok {
			return scalar(v)
		}
		return scalar(inner[key])
	}
	report := &StatusReport{
		State:   find("state"),
		Reason:  find("reason"),
		Version: find("version"),
		PID:     find("pid"),
		UpSince: parseUpSince(find("up_since")),
	}
	for _, key := range settings {
		if v, ok := top[key]; ok {
			if report.Settings == nil {
				report.Settings = make(map[string]string)
			}
			report.Settings[key] = scalar(v)
		}
	}
	return report
}

// scalar is a JSON value as one clean line; lists and objects are "".
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return Clean(v, MaxValue)
	case float64, bool:
		return Clean(strings.TrimSuffix(fmt.Sprint(v), ".0"), MaxValue)
	default:
		return ""
	}
}

// upSinceLayouts: the documented form has no leading zeros and no zone
// ("2018-4-18 02:12:42"); a zone that is missing is taken as UTC, which is fair
// for comparing nodes with each other.
var upSinceLayouts = []string{time.RFC3339Nano, "2006-1-2 15:04:05", "2006-1-2T15:04:05"}

func parseUpSince(s string) time.Time {
	for _, layout := range upSinceLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}

// Unavailable returns the services that the reason of a paused node names, as
// in "The following dependent services are unavailable: DB Service, Redis
// Server".
func (s *StatusReport) Unavailable() []string {
	if s == nil {
		return nil
	}
	lower := strings.ToLower(s.Reason)
	at := strings.Index(lower, "unavailable:")
	if at < 0 {
		return nil
	}
	var names []string
	for name := range strings.SplitSeq(s.Reason[at+len("unavailable:"):], ",") {
		if name = strings.Trim(name, " .;"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
