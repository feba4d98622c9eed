package importer

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/config"
	"stickwatch/internal/panics"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
	"stickwatch/probes/extract"
)

// A trial is what sessions of init itself, opened at the nodes directly, show about the
// application. The zero value knows nothing.
type trial struct {
	names   []string              // that nodes have for themselves, in the order of the file; "": unknown
	counter probes.SessionOutcome // whether the page shows a value that it stored
	sharing
}

// A sharing is whether nodes know the session of another one.
type sharing struct {
	shared probes.SessionOutcome
	owner  int   // index of the node that opened the session
	others []int // the nodes that know it, or the one that does not
}

const (
	maxTried  = 32 // nodes of a cluster at which a session is opened
	maxShared = 4  // nodes to which a session of another node is presented
)

// try opens a session at each node that answered, with the configuration as it would be
// written now, and presents the first one to the other nodes.
func (c *candidate) try(ctx context.Context) trial {
	if !c.answered() {
		return trial{}
	}
	cluster := c.written()
	if cluster == nil || cluster.Session == nil {
		return trial{}
	}
	if c.application().profile == "generic" && cluster.Session.Write == "" && cluster.Session.ID != nil {
		withCounter(cluster)
	}
	nodes := cluster.Nodes[:min(len(cluster.Nodes), maxTried)]
	tried := make([]nodeTrial, len(nodes))
	var wg panics.Group
	for i, n := range nodes {
		if i >= len(c.answers) || c.answers[i].failure.IsZero() {
			wg.Go(func() { tried[i] = tryNode(ctx, cluster, n, 1000*(i+1)) })
		}
	}
	wg.Wait()
	t := trial{sharing: present(ctx, nodes, tried)}
	for _, n := range tried {
		t.names = append(t.names, n.name)
		if n.counter == probes.SessionKept || t.counter == probes.SessionUnknown {
			t.counter = n.counter
		}
	}
	return t
}

// written returns the cluster as it would be written now, with the nodes that its source
// lists; nil if it would be a comment.
func (c *candidate) written() *probes.Cluster {
	cfg := c.configuration()
	if cfg == nil {
		return nil
	}
	cluster := cfg.WithNodes(cfg.Clusters[0].Name, nil, c.found).Clusters[0]
	cluster.Limits.Timeout = askTimeout
	return cluster
}

// configuration returns the configuration of c alone, as it would be written now; nil if
// it would be a comment.
func (c *candidate) configuration() *config.Config {
	text, err := c.alone().write(phrase.Reader{})
	if err != nil || !c.skeleton.IsZero() {
		return nil
	}
	cfg, err := config.Parse("stickwatch.yml", text, func(string) (string, bool) { return "", false })
	if err != nil || len(cfg.Clusters) != 1 {
		return nil
	}
	return cfg
}

// withCounter adds the counter that pages made for stickwatch have.
func withCounter(cluster *probes.Cluster) {
	read, err := extract.LabelsIn("", "value")
	if err != nil {
		return
	}
	session := *cluster.Session
	session.Write, session.Read = session.Path+"?set={value}", read
	cluster.Session = &session
}

// A nodeTrial is a session at one node.
type nodeTrial struct {
	canary  *probes.Canary // nil: the node opened no session
	name    string         // as the node calls itself; "": unknown, or it changes
	counter probes.SessionOutcome
}

// tryNode opens a session at a node, stores a value above base, and reads it.
func tryNode(ctx context.Context, cluster *probes.Cluster, n probes.Node, base int) nodeTrial {
	var t nodeTrial
	frontend, ok := frontendOf(ctx, cluster, n)
	if !ok {
		return t
	}
	canary := probes.NewCanary(cluster, frontend, "", "", base)
	first := canary.Open(ctx)
	if !served(first) {
		return t
	}
	written := canary.Write(ctx)
	again := canary.Follow(ctx)
	if !served(again) {
		return t
	}
	t.canary = canary
	if first.Label == again.Label {
		t.name = first.Label
	}
	if cluster.Session.Read != nil && served(written) {
		trace := canary.Trace()
		t.counter = trace.SessionOutcome(len(trace.Steps) - 1)
	}
	return t
}

func served(e probes.Exchange) bool { return e.Failure == "" && e.Status >= 200 && e.Status < 300 }

// frontendOf returns a node as if it were a balancer, under the name by which it is
// requested, so that a session can be opened there as a browser does.
func frontendOf(ctx context.Context, cluster *probes.Cluster, n probes.Node) (probes.Frontend, bool) {
	found := probes.Resolve(ctx, &probes.Cluster{Balancer: probes.Balancer{URLs: []*url.URL{n.URL}}, Limits: cluster.Limits})
	if len(found) == 0 || !found[0].Address.IsValid() {
		return probes.Frontend{}, false
	}
	at := *n.URL
	if n.Host != "" {
		at.Host = n.Host
	}
	return probes.Frontend{URL: &at, Address: found[0].Address}, true
}

// present presents the first session to the other nodes. Where nodes accept any id, only
// a stored value proves that they know it.
func present(ctx context.Context, nodes []probes.Node, tried []nodeTrial) sharing {
	var opened []int
	for i, t := range tried {
		if t.canary != nil {
			opened = append(opened, i)
		}
	}
	if len(opened) < 2 {
		return sharing{}
	}
	owner, others := opened[0], opened[1:min(len(opened), maxShared+1)]
	canary := tried[owner].canary
	if tried[owner].counter != probes.SessionKept {
		if accepted, ok := canary.PresentForged(ctx, nodes[others[0]]); accepted || !ok {
			return sharing{}
		}
	}
	var targets []probes.Node
	for _, i := range others {
		targets = append(targets, nodes[i])
	}
	all := sharing{probes.SessionKept, owner, others}
	for i, check := range canary.CheckFailover(ctx, nodes[owner], targets) {
		switch check.SessionOutcome() {
		case probes.SessionKept:
		case probes.SessionLost:
			return sharing{probes.SessionLost, owner, others[i : i+1]}
		default:
			all = sharing{}
		}
	}
	return all
}

// sharingEvidence says which nodes know a session of another one; zero: unknown.
func (c *candidate) sharingEvidence() phrase.Phrase {
	var others []string
	nodes := c.known()
	for _, i := range c.tried.others {
		others = append(others, nodes[i].ID)
	}
	who, owner := strings.Join(others, ", "), c.tried.owner
	switch {
	case c.tried.shared == probes.SessionLost:
		return phrase.New("tried: %s does not know a session of %s", who, nodes[owner].ID)
	case c.tried.shared == probes.SessionKept && len(others) == 1:
		return phrase.New("tried: %s knows a session of %s", who, nodes[owner].ID)
	case c.tried.shared == probes.SessionKept:
		return phrase.New("tried: %s know a session of %s", who, nodes[owner].ID)
	}
	return phrase.Phrase{}
}

// nodeName matches names that can be ids. Names that look like a number or a hash may be
// another one after the next start.
var (
	nodeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,39}$`)
	hashLike = regexp.MustCompile(`^[0-9a-f-]{8,}$`)
)

// rename gives the nodes of a file the ids by which they call themselves, unless two would
// have the same. The balancer's names for them are kept.
func (c *candidate) rename() {
	ids := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		ids[i] = n.ID
		if i < len(c.tried.names) && nodeName.MatchString(c.tried.names[i]) && !hashLike.MatchString(c.tried.names[i]) {
			ids[i] = c.tried.names[i]
		}
	}
	if c.kind == "" || len(slices.Compact(slices.Sorted(slices.Values(ids)))) < len(ids) {
		return
	}
	renamed := false
	for i := range c.nodes {
		node := &c.nodes[i]
		if node.ID == ids[i] {
			continue
		}
		renamed = true
		fromFile := slices.ContainsFunc(c.servers, func(from server) bool { return from.position.String() == node.From && from.name == node.ID })
		switch {
		case fromFile && node.Server == "":
			node.Server = node.ID
		case fromFile && node.Label == "":
			node.Label = node.ID
		}
		if i < len(c.answers) {
			c.answers[i].node = ids[i]
		}
		node.ID = ids[i]
	}
	if renamed {
		c.addComment("nodes", phrase.New("ids are the names that the nodes have for themselves"))
	}
}
