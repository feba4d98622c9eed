package probes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A StatusReport is the JSON of a status endpoint.
type StatusReport struct {
	State    string
	Reason   string
	Version  string
	UpSince  time.Time // zero: unknown
	PID      string
	Settings map[string]string // those of Status.Settings that are present
}

// Paused reports whether the node says that it does not serve: its state is "paused", or it gives a reason. Any
// other state counts as healthy, because none is documented for a healthy node.
func (s *StatusReport) Paused() bool {
	return s != nil && (strings.EqualFold(strings.TrimSpace(s.State), "paused") || s.Reason != "")
}

// Unavailable returns the services that are named in the reason of a paused node, such
// as "The following dependent services are unavailable: DB Service, Redis Server".
func (s *StatusReport) Unavailable() []string {
	if s == nil {
		return nil
	}
	found := unavailable.FindStringSubmatch(s.Reason)
	if found == nil {
		return nil
	}
	var names []string
	list := thousandsSeparator.ReplaceAllString(found[1], "$1$2")
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.Trim(name, " .;"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

var unavailable = regexp.MustCompile(`(?is)unavailable:(.*)`)

// thousandsSeparator matches a number with a thousands separator, which does not
// separate names.
var thousandsSeparator = regexp.MustCompile(`(\d),(\d{3})\b`)

// parseStatus parses the response of a status endpoint. It returns nil if that is no JSON object.
//
// The format is that of Strategy Collaboration Server, which others follow: state,
// reason and version at the top, up_since and pid under "main".
func parseStatus(body []byte, settings []string) *StatusReport {
	top := object(bytes.TrimPrefix(body, []byte("\ufeff")))
	if top == nil {
		return nil
	}
	main, _ := field(top, "main")
	inner := object(main)
	find := func(key string) string {
		if v, ok := field(top, key); ok {
			return scalar(v)
		}
		v, _ := field(inner, key)
		return scalar(v)
	}
	report := &StatusReport{
		State:   find("state"),
		Reason:  reasonOf(top, inner),
		Version: find("version"),
		PID:     find("pid"),
		UpSince: parseUpSince(find("up_since")),
	}
	for _, key := range settings {
		if v, ok := field(top, key); ok {
			if report.Settings == nil {
				report.Settings = make(map[string]string)
			}
			report.Settings[key] = scalar(v)
		}
	}
	return report
}

// object returns the JSON object at the beginning of text, with its values unparsed;
// nil if there is none. Anything after it is ignored.
func object(text []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.NewDecoder(bytes.NewReader(text)).Decode(&fields) != nil {
		return nil
	}
	return fields
}

// field returns the value of a key in any capitalisation. An exact match comes first,
// then the first match in alphabetical order, because an object has no order.
func field(fields map[string]json.RawMessage, key string) (json.RawMessage, bool) {
	if v, ok := fields[key]; ok {
		return v, true
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if strings.EqualFold(name, key) {
			return fields[name], true
		}
	}
	return nil, false
}

// reasonOf returns why a node does not serve: a text, or a list or an object of texts.
// Numbers, booleans, and null are no reason.
func reasonOf(top, inner map[string]json.RawMessage) string {
	raw, ok := field(top, "reason")
	if !ok {
		raw, _ = field(inner, "reason")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return ""
	}
	switch value.(type) {
	case string, []any, map[string]any:
		return Clean(strings.Join(appendScalars(nil, "", value), ", "), MaxValue)
	default:
		return ""
	}
}

// maxReasons bounds the scalars of a reason: more than fit into the MaxValue bytes of its text.
const maxReasons = 100

// appendScalars appends up to maxReasons scalars of a JSON value: those of a list in its order, those of an
// object by key, as "key: value".
func appendScalars(list []string, key string, value any) []string {
	switch value := value.(type) {
	case nil:
	case []any:
		for _, v := range value {
			list = appendScalars(list, key, v)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			list = appendScalars(list, name+": ", value[name])
		}
	default:
		if text := fmt.Sprint(value); text != "" && len(list) < maxReasons {
			list = append(list, key+text)
		}
	}
	return list
}

// scalar returns a JSON value as one clean line, a number as it was written. It is ""
// for null, lists and objects.
func scalar(value json.RawMessage) string {
	text := string(value)
	switch {
	case text == "" || text == "null" || text[0] == '[' || text[0] == '{':
		return ""
	case text[0] == '"' && json.Unmarshal(value, &text) != nil:
		return ""
	}
	return Clean(text, MaxValue)
}

// upSinceLayouts are the accepted formats of up_since. The documented one has no
// leading zeros and no zone ("2018-4-18 02:12:42"). A missing zone is read as UTC,
// which suffices to compare nodes with each other.
var upSinceLayouts = []string{time.RFC3339Nano, "2006-1-2 15:04:05", "2006-1-2T15:04:05"}

func parseUpSince(s string) time.Time {
	for _, layout := range upSinceLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
