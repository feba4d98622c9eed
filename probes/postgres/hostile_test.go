package postgres

import (
	"testing"

	"stickwatch/probes/internal/leash/leashtest"
)

func TestSurvives(t *testing.T) { leashtest.Survives(t, "postgres", Ping) }
