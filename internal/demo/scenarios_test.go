package demo_test

import (
	"testing"

	"stickwatch/internal/demo"
	"stickwatch/internal/must"
)

// TestScenariosCanBeRepeated: each step works on the cluster that the scenario leaves.
func TestScenariosCanBeRepeated(t *testing.T) {
	t.Parallel()
	for _, s := range demo.Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			c, err := demo.Start(demo.Config{})
			must.Succeed(t, err)
			defer c.Close()
			for range 2 {
				for _, step := range s.Steps {
					if err := step.Do(c); err != nil {
						t.Errorf("%q: %v", step.Text, err)
					}
				}
			}
		})
	}
}
