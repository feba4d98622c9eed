package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
)

func deadLetter(receiver string, age time.Duration, reason string) DeadLetter {
	return DeadLetter{Reason: reason, Notification: alerting.Notification{
		Receiver: receiver, At: testTime.Add(-age),
		Incident: alerting.Incident{ID: receiver + "-1", Cause: checks.Finding{Summary: checks.Quote("node2 is down")}},
	}}
}

// TestUndelivered: each receiver has one line about its newest dead letter; old ones are
// omitted.
func TestUndelivered(t *testing.T) {
	got := seenInEnglish.undelivered([]DeadLetter{
		deadLetter("ops", time.Hour, "channel_not_found"),
		deadLetter("ops", 2*time.Hour, "invalid_auth"),
		deadLetter("hook", 70*time.Hour, "HTTP 400"),
		deadLetter("gone", 5*24*time.Hour, "no such receiver"),
	})
	want := []undelivered{
		{"ops", "2 messages were given up", seenInEnglish.timestamp(testTime.Add(-time.Hour)), "channel_not_found", "ops-1", "node2 is down"},
		{"hook", "A message was given up", seenInEnglish.timestamp(testTime.Add(-70 * time.Hour)), "HTTP 400", "hook-1", "node2 is down"},
	}
	expect.Equal(t, "result", want, got)
}

func TestHistoryProblems(t *testing.T) {
	full := "database or disk is full"
	for _, test := range []struct {
		name string
		k    HistoryStatus
		want []healthNote
	}{
		{"well", HistoryStatus{LastWrite: testTime}, nil},
		{"never written", HistoryStatus{LastError: full}, []healthNote{{toneCritical, "The history cannot be written", full}}},
		{"not written any more", HistoryStatus{LastError: full, LastWrite: testTime.Add(-time.Hour), Dropped: 7}, []healthNote{
			{toneCritical, "The history has not been written since 11:03:11", full},
			{toneWarning, "The history lacks 7 probes: the disk was too slow or full", ""},
		}},
		{"clocks", HistoryStatus{ClocksOff: map[string]time.Duration{"mon2": -5 * time.Second, "mon1": 61 * time.Second}}, []healthNote{
			{toneWarning, `The clock of the instance "mon1" is 1 min ahead of that of the database: set it`, ""},
			{toneWarning, `The clock of the instance "mon2" is 5 s behind that of the database: set it`, ""},
		}},
		{"damaged", HistoryStatus{Damage: "row 5 is missing"}, []healthNote{{toneCritical, "The file of the history is damaged", "row 5 is missing"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect.Equal(t, "result", test.want, seenInEnglish.historyProblems(test.k))
		})
	}
	v := viewContext{formatter: formatter{chinese, time.UTC}, now: testTime}
	got := v.historyProblems(HistoryStatus{ClocksOff: map[string]time.Duration{"mon1": 61 * time.Second}})
	if len(got) != 1 || !strings.Contains(got[0].Text, "1 分") || strings.Contains(got[0].Text, "1m") {
		t.Errorf("got %v, want a Chinese length", got)
	}
}

// TestPagesShowSelfHealth: every page shows problems of stickwatch, in both languages. The
// daemon stays ready, because a full disk is no reason to restart it.
func TestPagesShowSelfHealth(t *testing.T) {
	d := newFakeDaemon(healthyCluster("shop", 2))
	d.deadLetters = []DeadLetter{deadLetter("ops", time.Hour, `<b>"channel_not_found"`)}
	d.keeping = HistoryStatus{LastError: "database or disk is full", LastWrite: testTime.Add(-time.Hour)}
	s := d.server(t)
	for query, want := range map[string][]string{
		"?lang=en": {"A message was given up", "receiver ops", "&lt;b&gt;&#34;channel_not_found", `href="/incidents/ops-1"`, "not been written since 11:03:11"},
		"?lang=zh": {"有 1 条消息未能送达", "接收方 ops", "历史未能写入", `<span lang="en">database or disk is full`},
	} {
		for _, path := range append(everyPage(d), "/report") {
			got := getPage(s, path+query).Body.String()
			for _, text := range want {
				if !strings.Contains(got, text) {
					t.Errorf("%s lacks %q", path+query, text)
				}
			}
		}
	}
	if got := getPage(s, "/-/ready"); got.Code != http.StatusOK {
		t.Errorf("got %d, want it to be ready", got.Code)
	}
	d.broken = errors.New("no disk at all")
	if got := getPage(s, "/"); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), "not been written since") {
		t.Errorf("got %d without the note when the history cannot be read", got.Code)
	}
}

// A withoutLatencies cannot read latencies.
type withoutLatencies struct{ *fakeDaemon }

func (w withoutLatencies) ClusterLatencies(context.Context, []string, checks.Span, checks.TargetKind) (map[string]checks.Latency, error) {
	return nil, errors.New("the disk is slow")
}

// TestOverviewSaysThatLatenciesCannotBeRead: they do not look like those of a cluster without data.
func TestOverviewSaysThatLatenciesCannotBeRead(t *testing.T) {
	for name, d := range map[string]*fakeDaemon{"in full": newFakeDaemon(healthyCluster("shop", 2)), "table": manyClusters()} {
		readable, broken := d.server(t), d.server(t, func(c *Config) { c.History = withoutLatencies{d} })
		for server, want := range map[*Server]bool{readable: false, broken: true} {
			got := getPage(server, "/?range=6h").Body.String()
			if strings.Contains(got, `id="broken"`) != want {
				t.Errorf("%s: the page says that the history cannot be read: %t, want %t", name, !want, want)
			}
		}
	}
}
