package monitor

import (
	"reflect"
	"testing"

	"stickwatch/checks"
	"stickwatch/probes"
)

// TestNextRoundKeepsObservations tests that a round that begins with the observations of the
// last one lacks none of them. A part that is left out would change the judgement at the
// next refresh.
func TestNextRoundKeepsObservations(t *testing.T) {
	own := []string{
		"Cluster", "Started", "Duration", "Every", "Past", "Void", // of each round
		"Confidence", "ExpectVersion", "Ignore", "Source", "Login", "Limited", // from the configuration and its state
		"OwnerChecks", "NodesFirst", // the timelines keep what they showed
	}
	last := checks.Round{Cluster: &probes.Cluster{}}
	fields := reflect.ValueOf(&last).Elem()
	for _, field := range fields.Fields() {
		switch field.Kind() {
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Bool:
			field.SetBool(true)
		}
	}
	next := reflect.ValueOf(new(Prober).nextRound(last))
	ignored := make(map[string]bool)
	for _, name := range own {
		ignored[name] = true
	}
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if !ignored[name] && !reflect.DeepEqual(next.Field(i).Interface(), fields.Field(i).Interface()) {
			t.Errorf("%s was not taken over from the last round", name)
		}
	}
}
