package postmortem

import (
	"reflect"
	"testing"
)

// TestLabels: every label exists in both languages.
func TestLabels(t *testing.T) {
	english, chinese := reflect.ValueOf(labelsIn[false]), reflect.ValueOf(labelsIn[true])
	for n := range english.NumField() {
		if english.Field(n).IsZero() || chinese.Field(n).IsZero() {
			t.Errorf("%s is missing", english.Type().Field(n).Name)
		}
	}
}
