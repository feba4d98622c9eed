package daemon

import (
	"testing"
	"time"

	"stickwatch/internal/config"
)

// TestHistoryIsBoundedAsConfigured, in time and in size.
func TestHistoryIsBoundedAsConfigured(t *testing.T) {
	t.Parallel()
	got := historyConfig(config.History{Path: "a.db", Retention: 30 * 24 * time.Hour, MaxSize: 2e9}, nil)
	if got.Path != "a.db" || got.Retention != 30*24*time.Hour || got.MaxSize != 2e9 {
		t.Errorf("got %+v, want what the file says", got)
	}
}
