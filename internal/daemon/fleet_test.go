package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stickwatch/alerting/slack/slacktest"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// A fleetRig is a demo whose clusters several processes watch, with one PostgreSQL and one Slack.
type fleetRig struct {
	*rig
	database  *lab.Dependency
	reader    *history.Reader
	workspace *slacktest.Server
	clusters  []string
	running   map[string]*process
	edit      func(name, text string) string // of the configuration of an instance; nil: none
	command   func(name string) *exec.Cmd    // that runs this test binary as an instance; nil: the usual one
}

func newFleetRig(t *testing.T, clusters int) *fleetRig {
	t.Helper()
	f := &fleetRig{rig: newRig(t), database: lab.Postgres(t), workspace: slacktest.New("ops"), running: make(map[string]*process)}
	t.Cleanup(f.workspace.Close)
	for i := range clusters {
		f.clusters = append(f.clusters, fmt.Sprintf("cluster%d", i))
	}
	return f
}

// start starts an instance.
func (f *fleetRig) start(t *testing.T, name string) *process {
	t.Helper()
	return f.startWith(t, name, f.database.URL())
}

// startWith starts an instance that reaches the database at a URL.
func (f *fleetRig) startWith(t *testing.T, name, database string) *process {
	t.Helper()
	text := f.file(f.clusters...)
	text = strings.Replace(text, "sqlite:"+filepath.Join(f.dir, "history.db"), database, 1)
	text = strings.Replace(text, "webhook: {url: http://127.0.0.1:9/}", fmt.Sprintf("slack: {token: %s, channel: \"#ops\", api_url: %q}", slacktest.Token, f.workspace.URL()), 1)
	text += fmt.Sprintf("fleet: {instance: %s}\n", name)
	if f.edit != nil {
		text = f.edit(name, text)
	}
	file := filepath.Join(f.dir, name+".yml")
	must.Succeed(t, os.WriteFile(file, []byte(text), 0o600))
	if f.command != nil {
		f.running[name] = startCommand(t, f.command(name), file)
	} else {
		f.running[name] = startDaemonProcess(t, file)
	}
	return f.running[name]
}

// state returns the state of the fleet, as anybody can read it.
func (f *fleetRig) state(t *testing.T) history.FleetState {
	t.Helper()
	if f.reader == nil {
		var err error
		if f.reader, err = history.OpenReader(t.Context(), f.database.URL()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.reader.Close() })
	}
	state, err := f.reader.Fleet(t.Context())
	must.Succeed(t, err)
	return state
}

// owners returns the live owner of each cluster.
func (f *fleetRig) owners(t *testing.T) map[string]string {
	t.Helper()
	state, all := f.state(t), make(map[string]string)
	for _, l := range state.Leases {
		if l.Cluster != "" && state.Live(l.Owner) {
			all[l.Cluster] = l.Owner
		}
	}
	return all
}

// owned reports whether each cluster has one of the instances, and each instance a cluster.
func (f *fleetRig) owned(t *testing.T, instances ...string) bool {
	t.Helper()
	owners, has := f.owners(t), make(map[string]int)
	for _, owner := range owners {
		has[owner]++
	}
	for owner := range has {
		if !slices.Contains(instances, owner) {
			return false
		}
	}
	return len(owners) == len(f.clusters) && len(has) == len(instances)
}

// await waits until a condition holds and returns how long that took.
func await(t *testing.T, limit time.Duration, what string, is func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// A shownCluster is a cluster in the API.
type shownCluster struct {
	Name, Verdict, Started string
}

// shown returns the clusters that an instance shows.
func (p *process) shown(t *testing.T) (list []shownCluster) {
	t.Helper()
	_, body := p.request(t, "/api/v1/clusters")
	var answer struct{ Clusters []shownCluster }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return answer.Clusters
}

// probe asks an instance for a round of a cluster.
func (p *process) probe(t *testing.T, cluster string) (status int, body string) {
	t.Helper()
	return p.request(t, "/probe?cluster="+cluster)
}

// request sends a GET request to an instance.
func (p *process) request(t *testing.T, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, http.NoBody)
	must.Succeed(t, err)
	res, err := http.DefaultClient.Do(req)
	must.Succeed(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 10<<20))
	must.Succeed(t, err)
	return res.StatusCode, string(text)
}

// showsAll reports whether an instance shows a round of every cluster that began after a time.
func (f *fleetRig) showsAll(t *testing.T, p *process, after time.Time) bool {
	t.Helper()
	list := p.shown(t)
	return len(list) == len(f.clusters) && !slices.ContainsFunc(list, func(c shownCluster) bool {
		started, err := time.Parse(time.RFC3339, c.Started)
		return c.Verdict != "healthy" || err != nil || !started.After(after)
	})
}

// TestFleetTakeover: clusters are shared out among three processes, every one of which shows all of
// them. Those of a process that is killed are probed by others within 10 s, those of one that is
// stopped within 2 s; the limits here have room for a busy machine.
func TestFleetTakeover(t *testing.T) {
	f := newFleetRig(t, 6)
	for _, name := range []string{"a", "b", "c"} {
		f.start(t, name)
	}
	await(t, 2*time.Minute, "each instance has clusters", func() bool { return f.owned(t, "a", "b", "c") })
	for name, p := range f.running {
		await(t, time.Minute, name+" shows all clusters", func() bool { return f.showsAll(t, p, time.Time{}) })
	}
	for name, p := range f.running {
		await(t, 30*time.Second, name+" names the owner of another one's cluster", func() bool {
			for cluster, owner := range f.owners(t) { // leases may still move
				status, body := p.probe(t, cluster)
				if name != owner && status == http.StatusConflict && strings.Contains(body, `the instance \"`+owner+`\" of the fleet`) {
					return true
				}
			}
			return false
		})
	}
	killed := time.Now()
	f.running["a"].kill()
	took := await(t, 30*time.Second, "the others have the clusters of the killed process", func() bool { return f.owned(t, "b", "c") })
	seen := await(t, 30*time.Second, "and probe them", func() bool { return f.showsAll(t, f.running["c"], killed) })
	t.Logf("after kill -9: leases after %s, a round of every cluster shown after %s", took, took+seen)
	stopped := time.Now()
	must.Succeed(t, f.running["b"].Process.Signal(syscall.SIGTERM))
	took = await(t, 15*time.Second, "the last one has the clusters of the stopped process", func() bool { return f.owned(t, "c") })
	seen = await(t, 30*time.Second, "and probes them", func() bool { return f.showsAll(t, f.running["c"], stopped) })
	t.Logf("after a stop: leases after %s, a round of every cluster shown after %s", took, took+seen)
}

// TestFleetGivesAway: an instance that gives clusters away writes what it has measured of them.
func TestFleetGivesAway(t *testing.T) {
	f := newFleetRig(t, 6)
	a := f.start(t, "a")
	await(t, time.Minute, "a watches all clusters", func() bool { return f.owned(t, "a") && f.showsAll(t, a, time.Time{}) })
	f.start(t, "b")
	await(t, 2*time.Minute, "b has its share", func() bool { return f.owned(t, "a", "b") })
	shared := time.Now()
	await(t, time.Minute, "both go on", func() bool { return f.showsAll(t, a, shared) })
	_, metrics := a.request(t, "/metrics")
	if !strings.Contains(metrics, "\nstickwatch_history_dropped_total 0\n") {
		t.Errorf("rows were dropped: %s", metrics[strings.Index(metrics, "\nstickwatch_history_dropped_total "):][:60])
	}
}

// TestFleetStopsWhileDatabaseHangs: an instance whose database hangs, without ending its connections,
// stops all the same.
func TestFleetStopsWhileDatabaseHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits until the instance waits for the database")
	}
	f := newFleetRig(t, 3)
	at := must.URL(f.database.URL())
	c := newCable(t, at.Host)
	p := f.startWith(t, "a", c.through(t, f.database.URL()))
	await(t, time.Minute, "it watches the clusters", func() bool { return f.owned(t, "a") })
	c.cut(true)
	t.Cleanup(func() { c.cut(false) })
	time.Sleep(15 * time.Second) // it reads silences every ten seconds
	stopped := time.Now()
	must.Succeed(t, p.Process.Signal(syscall.SIGTERM))
	ended := make(chan struct{})
	go func() { _ = p.Wait(); close(ended) }()
	select {
	case <-ended:
		t.Logf("it stopped after %s", time.Since(stopped).Round(time.Millisecond))
	case <-time.After(25 * time.Second): // 12 s of time limits
		p.kill()
		t.Error("it has not stopped after 25 s")
	}
}

// TestUnits: with incidents by host, clusters that share a host are watched together.
func TestUnits(t *testing.T) {
	cluster := func(name string, hosts ...string) *probes.Cluster {
		c := &probes.Cluster{Name: name}
		for _, host := range hosts {
			c.Nodes = append(c.Nodes, probes.Node{Host: host})
		}
		return c
	}
	cfg := &config.Config{Clusters: []*probes.Cluster{
		cluster("a", "h1", "h2"), cluster("b", "h3"), cluster("c", "h4"), cluster("d", "h2", "h3"), cluster("e", ""), cluster("f", ""),
	}}
	count := func() (list []string) {
		for _, u := range unitsOf(cfg) {
			slices.Sort(u.Clusters)
			list = append(list, strings.Join(u.Clusters, ""))
		}
		slices.Sort(list)
		return list
	}
	if got, want := count(), []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	cfg.Alerting.GroupByHost = true
	if got, want := count(), []string{"abd", "c", "e", "f"}; !slices.Equal(got, want) {
		t.Errorf("got %q by host, want %q", got, want)
	}
}

// TestFleetReload: a reload at one instance makes the other one read its configuration again.
func TestFleetReload(t *testing.T) {
	f := newFleetRig(t, 2)
	for _, name := range []string{"a", "b"} {
		f.start(t, name)
	}
	digests := func() (all []string) {
		for _, i := range f.state(t).Instances {
			all = append(all, i.Digest)
		}
		return all
	}
	await(t, 2*time.Minute, "both instances run", func() bool { return f.owned(t, "a", "b") })
	before := digests()
	for _, name := range []string{"a", "b"} {
		file := filepath.Join(f.dir, name+".yml")
		text, err := os.ReadFile(file)
		must.Succeed(t, err)
		must.Succeed(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "slow: 900ms", "slow: 800ms")), 0o600))
	}
	must.Succeed(t, f.running["a"].Process.Signal(syscall.SIGHUP))
	await(t, time.Minute, "both have the new configuration", func() bool {
		after := digests()
		return len(after) == 2 && after[0] == after[1] && after[0] != before[0]
	})
}
