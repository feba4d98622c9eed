package redis

import (
	"testing"

	"go.uber.org/goleak"

	"stickwatch/probes/internal/leash/leashtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSurvives(t *testing.T) { leashtest.Survives(t, "redis", Ping) }
