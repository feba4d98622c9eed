package render

import (
	"cmp"
	"io"
	"strconv"
	"time"

	"stickwatch/internal/wire"
)

// wireFleet is the JSON of a fleet.
type wireFleet struct {
	Schema int `json:"schema"`
	wire.Fleet
}

// Fleet writes the instances of a fleet and who watches which cluster, as table or json.
func Fleet(w io.Writer, format string, fleet wire.Fleet, now time.Time, opts Options) error {
	if format == "json" {
		fleet.Instances, fleet.Leases = append([]wire.Instance{}, fleet.Instances...), append([]wire.Lease{}, fleet.Leases...) // never null
		return writeJSON(w, wireFleet{wire.SchemaVersion, fleet})
	}
	s := NewText(opts)
	s.instances(fleet.Instances)
	if len(fleet.Leases) > 0 {
		s.Line("")
		s.leases(fleet.Leases, now)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// instances writes a table of instances, and whether they differ in their configuration.
func (t *Text) instances(all []wire.Instance) {
	if len(all) == 0 {
		t.Line(t.Translate("No instance of a fleet has used this history: start stickwatch serve with the key fleet in its configuration."))
		return
	}
	rows := [][]span{t.headings("instance", "site", "state", "clusters", "heard of", "clock", "version", "configuration")}
	for _, i := range all {
		tone := plain
		if i.State != "alive" {
			tone = dim
		}
		lag := (time.Duration(i.LagMS) * time.Millisecond).Round(100 * time.Millisecond)
		rows = append(rows, []span{
			{bold, CleanName(i.Name)},
			{tone, CleanName(cmp.Or(i.Site, "-"))},
			{tone, t.instanceState(i.State)},
			{tone, strconv.Itoa(i.Clusters)},
			{tone, t.Translate("%s ago", lag)},
			{tone, clock(i.AheadMS)},
			{tone, CleanName(i.Version)},
			{tone, CleanName(i.Config)},
		})
	}
	t.matrix(rows)
}

// clock returns by how much the clock of an instance is ahead, or "-" where nobody sees a difference.
func clock(aheadMS int64) string {
	ahead := (time.Duration(aheadMS) * time.Millisecond).Round(100 * time.Millisecond)
	switch {
	case ahead.Abs() < time.Second:
		return "-"
	case ahead > 0:
		return "+" + ahead.String()
	default:
		return ahead.String()
	}
}

// instanceState returns the state of an instance in the reader's language.
func (f formatter) instanceState(state string) string {
	switch state {
	case "alive":
		return f.Translate("alive")
	case "draining":
		return f.Translate("draining")
	case "impaired":
		return f.Translate("cannot probe")
	default:
		return f.Translate("gone")
	}
}

// watcher names the instance that watches a cluster.
func (f formatter) watcher(l wire.Lease) string {
	if l.Instance == "" {
		return f.Translate("nobody")
	}
	return CleanName(l.Instance)
}

// leases writes a table of clusters.
func (t *Text) leases(all []wire.Lease, now time.Time) {
	days := calendar{t.In(now)}
	rows := [][]span{t.headings("cluster", "watched by", "since", "epoch")}
	for _, l := range all {
		tone := plain
		if l.Instance == "" {
			tone = dim
		}
		since := "-"
		if l.Epoch > 0 {
			since = days.zoned(l.Since.Time())
		}
		rows = append(rows, []span{
			{bold, CleanName(l.Cluster)}, {tone, t.watcher(l)}, {tone, since}, {tone, strconv.FormatInt(l.Epoch, 10)},
		})
	}
	t.matrix(rows)
}
