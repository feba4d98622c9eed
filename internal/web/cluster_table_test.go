package web

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClusterTableBoundsTheQuery(t *testing.T) {
	table := seenInEnglish.clusterTable(nil, url.Values{"q": {strings.Repeat("集群", maxQuery)}}, nil)
	if !utf8.ValidString(table.Query) || len(table.Query) > maxQuery || table.Query == "" {
		t.Errorf("got %q of %d bytes, want valid UTF-8 of at most %d", table.Query, len(table.Query), maxQuery)
	}
}
