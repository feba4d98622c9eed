package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A MadeUpPast is what Fill writes: a past to measure with.
type MadeUpPast struct {
	Targets  []checks.Target
	End      time.Time
	Days     int
	Interval time.Duration // of the probes; it divides a minute
	// Detailed reports whether a target has what Config keeps for a while only: samples and minutes. Others
	// have those of the last hour. Nil: all have.
	Detailed func(checks.Target) bool
	// Each cluster has so many a day.
	Moves, Incidents int
}

// Fill writes a made-up past to a new history, as a daemon would have left it.
func Fill(ctx context.Context, c Config, p MadeUpPast) (err error) {
	db, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(ctx)) }()
	clusters := make(map[string]bool)
	for _, of := range p.Targets {
		t := newTarget(of, p.End.AddDate(0, 0, -p.Days).UnixMilli())
		if err := db.engine.commit(ctx, false, func(tx *transaction) error { return p.fill(ctx, tx, db.config, t) }); err != nil {
			return fmt.Errorf("filling %s: %w", of, err)
		}
		clusters[of.Cluster] = true
	}
	for cluster := range clusters {
		if err := p.events(ctx, db, cluster); err != nil {
			return fmt.Errorf("filling %q: %w", cluster, err)
		}
	}
	return db.engine.commit(ctx, false, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, "ANALYZE") // as both engines do in time
		return err
	})
}

// fill writes the measurements of a target.
func (p MadeUpPast) fill(ctx context.Context, tx *transaction, c Config, t *target) error {
	if err := t.insert(ctx, tx); err != nil {
		return err
	}
	raw, sums := c.Raw, c.Minutes
	if p.Detailed != nil && !p.Detailed(t.Target) {
		raw, sums = time.Hour, time.Hour
	}
	end := p.End.UnixMilli()
	t.since[samples] = hours.floor(p.End.Add(-raw).UnixMilli())
	t.since[minutes] = hours.floor(p.End.Add(-sums).UnixMilli())
	for l, from := range [levels]int64{t.since[samples], t.since[minutes], t.since[hours], t.since[days]} {
		l := level(l)
		if l > samples {
			t.until[l] = l.floor(end)
		}
		rows := p.rows(l, from, end)
		if err := tx.engine.partition(ctx, tx, l, from, end); err != nil {
			return err
		}
		if err := tx.engine.insertRows(ctx, tx, l, t.id, rows); err != nil {
			return err
		}
	}
	return t.update(ctx, tx)
}

func (p MadeUpPast) rows(l level, from, end int64) (rows [][]any) {
	if l == samples {
		for ts := from; ts < end; ts += p.Interval.Milliseconds() {
			rows = append(rows, []any{ts, int64(1500), int64(200 << outcomeStatus)})
		}
		return rows
	}
	n := units[l] / p.Interval.Milliseconds()
	var slow []byte
	if l > minutes {
		slow = madeUpLatencies(n).encode()
	}
	for ts := from; ts < l.floor(end); ts += units[l] {
		row := []any{ts / units[l], n, int64(0), int64(0), 1500 * n, int64(4000), int64(137), int64(0), nil, nil}
		if l > minutes {
			row = append(row, slow)
		}
		rows = append(rows, row)
	}
	return rows
}

// madeUpLatencies returns n latencies of a few milliseconds, of which one in twenty is slow.
func madeUpLatencies(n int64) *sketch {
	s := new(sketch)
	for i := range n {
		s.observe(1000 + i*997%2000 + i%20/19*(i*7919%30000))
	}
	return s
}

// events writes the moves, placements, incidents and deployments of a cluster.
func (p MadeUpPast) events(ctx context.Context, db *DB, cluster string) error {
	const day, deploymentEvery = 24 * time.Hour, 10
	set := WriteSet{}
	for n := range p.Days {
		end := p.End.Add(-time.Duration(n) * day)
		db.Record(p.moves(cluster, end))
		if err := db.flush(ctx); err != nil {
			return err
		}
		for i := range p.Incidents {
			set.Incidents = append(set.Incidents, madeUpIncident(cluster, n, end.Add(-time.Duration(i+1)*day/time.Duration(p.Incidents+1)), i))
		}
		if n%deploymentEvery > 0 {
			continue
		}
		id, err := db.BeginDeployment(ctx, checks.Deployment{Cluster: cluster, Name: "release", Span: checks.Span{From: end.Add(-2 * time.Hour)}})
		if err == nil {
			err = db.EndDeployment(ctx, id, end.Add(-time.Hour), nil)
		}
		if err != nil {
			return err
		}
	}
	return db.Commit(ctx, set)
}

// moves returns the moves and placements of the day before a time.
func (p MadeUpPast) moves(cluster string, end time.Time) (day Batch) {
	for n := range p.Moves {
		at, session := end.Add(-time.Duration(n)*24*time.Hour/time.Duration(p.Moves)), fmt.Sprint(cluster, end.Unix(), n)
		day.Moves = append(day.Moves, checks.Move{
			Cluster: cluster, At: at, From: "node1", To: "node2", Kept: n%10 > 0, Session: probes.Fingerprint(session), Cause: checks.Quote("node1 restarted"),
		})
		day.Placements = append(day.Placements, checks.Placement{
			Cluster: cluster, Balancer: "balancer", Owner: session, Span: checks.Span{From: at.Add(-time.Hour), To: at}, Node: "node1", Outcome: checks.OutcomeServed,
		})
	}
	return day
}

// MadeUpIncident returns the id of an incident of Fill that was n days before the end.
func MadeUpIncident(cluster string, n int) string { return fmt.Sprintf("%s-%d-0", cluster, n) }

func madeUpIncident(cluster string, day int, started time.Time, n int) alerting.Incident {
	found := checks.Finding{Code: checks.NodeDown, Node: "node1", Severity: checks.Critical, Summary: checks.Quote("node1 is down")}
	ended := started.Add(10 * time.Minute)
	return alerting.Incident{
		ID: fmt.Sprintf("%s-%d-%d", cluster, day, n), Cluster: cluster, Clusters: []string{cluster},
		State: alerting.Resolved, Severity: found.Severity, Cause: found,
		Findings: []alerting.Member{{ActiveFinding: checks.ActiveFinding{Finding: found, Since: started}, Cluster: cluster, Ended: ended}},
		Started:  started, Fired: started.Add(time.Minute), Ended: ended,
		Timeline: []alerting.Event{{At: started, Text: "first sight"}, {At: ended, Text: "over"}},
	}
}
