package lab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/gate"
	"stickwatch/internal/gate/vigil"
	"stickwatch/probes"
)

// A deployment is two Tomcats behind a real balancer, which are watched while
// something is done to them.
type deployment struct {
	t       *testing.T
	tomcats []*Tomcat
	cluster *probes.Cluster
	terms   gate.Terms
	vigil   *vigil.Vigil
}

// watchTomcats begins to watch Tomcats behind a balancer at url.
func watchTomcats(t *testing.T, tomcats []*Tomcat, url string, terms gate.Terms, change func(*probes.Cluster)) *deployment {
	t.Helper()
	d := &deployment{t: t, tomcats: tomcats, cluster: tomcatCluster(t, tomcats, url), terms: terms}
	if change != nil {
		change(d.cluster)
	}
	d.vigil = vigil.Begin(t.Context(), d.cluster, vigil.Config{Interval: 100 * time.Millisecond})
	return d
}

// tomcatCluster is the configuration of Tomcats behind a balancer at url.
func tomcatCluster(tb testing.TB, tomcats []*Tomcat, url string) *probes.Cluster {
	tb.Helper()
	flags := config.Flags{Balancer: []string{url}, Profile: "tomcat", Method: string(probes.MethodCookie)}
	for _, tomcat := range tomcats {
		flags.Nodes = append(flags.Nodes, tomcat.Name()+"="+tomcat.URL())
	}
	cfg, err := config.FromFlags(flags)
	if err != nil {
		tb.Fatal(err)
	}
	return cfg.Clusters[0]
}

func (d *deployment) report() gate.Report { return gate.Judge(d.vigil.Record(), d.terms, time.Now()) }

func (d *deployment) end() gate.Report {
	d.t.Helper()
	r := gate.Judge(d.vigil.End(d.t.Context()), d.terms, time.Now())
	if d.t.Failed() {
		d.t.Logf("moves:")
	}
	for _, m := range r.Moves {
		d.t.Log(m)
	}
	return r
}

// until waits for what the record must come to show.
func (d *deployment) until(what string, shows func(gate.Report) bool) {
	d.t.Helper()
	err := poll(d.t.Context(), nil, func(context.Context) error {
		if !shows(d.report()) {
			return fmt.Errorf("%s: not yet", what)
		}
		return nil
	})
	if err != nil {
		d.t.Fatalf("%v\n%+v", err, d.report().Moves)
	}
}

// met reports whether a newcomer was answered by a node after a moment.
func met(r gate.Report, node string, moment time.Time) bool {
	for _, lane := range r.Lanes {
		for _, p := range lane.Pieces {
			if lane.Kind == gate.KindNewcomer && p.Good && p.Node == node && p.To.After(moment) {
				return true
			}
		}
	}
	return false
}

// restart restarts a Tomcat, and waits until new clients are sent there again.
func (d *deployment) restart(i int) {
	d.t.Helper()
	tomcat := d.tomcats[i]
	tomcat.Stop()
	tomcat.Start()
	back := time.Now()
	d.until(tomcat.Name()+" gets new clients", func(r gate.Report) bool { return met(r, tomcat.Name(), back) })
}

// promise is the one of that name.
func promise(t *testing.T, r gate.Report, name string) gate.Promise {
	t.Helper()
	for _, p := range r.Promises {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("no promise %q in %+v", name, r.Promises)
	return gate.Promise{}
}

// holds checks that a promise is kept, or not.
func holds(t *testing.T, r gate.Report, name string, want checks.Answer) {
	t.Helper()
	if p := promise(t, r, name); p.Kept != want {
		t.Errorf("%s: got %s, want %s: %q", name, p.Kept, want, p.Reasons)
	}
}
