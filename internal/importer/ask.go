package importer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/discovery"
	"stickwatch/internal/panics"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// Limits of the requests. Facts that remain unknown are guessed, and marked as guesses.
const (
	askTimeout = 3 * time.Second  // per request
	askFor     = 30 * time.Second // for all requests
	maxAsked   = 5                // nodes of a cluster
	askAtOnce  = 64               // concurrent nodes of all clusters
)

// Ask sends requests to the nodes to identify the application, opens sessions to learn the
// names of nodes and whether they share sessions, and checks whether the balancer's
// evidence can be read from this machine. It sends some dozen requests to each node and
// takes at most half a minute. Notes lists the nodes that do not answer.
func (imp *Import) Ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	failures := imp.discoverAll(ctx)
	var wg panics.Group
	noAnswer := make([][]phrase.Phrase, len(imp.candidates))
	for i, candidate := range imp.candidates {
		wg.Go(func() { candidate.confirm(ctx) })
		wg.Go(func() { noAnswer[i] = candidate.checkFrontends(ctx) })
	}
	imp.identifyAll(ctx, false)
	wg.Wait()
	imp.tryAll(ctx)
	imp.silent = nil
	for i, candidate := range imp.candidates {
		candidate.moved = false
		for _, why := range noAnswer[i] {
			imp.silent.note("%s: %s", candidate.name, why)
		}
		if failures[i] != nil {
			imp.silent.note("%s: its nodes are not known: %s", candidate.name, phrase.Reason(failures[i].Error()))
		}
		for _, a := range candidate.answers {
			if !a.failure.IsZero() {
				imp.silent.note("%s: %s does not answer: %s", candidate.name, a.node, a.failure)
			}
		}
	}
}

// discoverAll asks the sources of nodes, and returns the error of each candidate's.
func (imp *Import) discoverAll(ctx context.Context) []error {
	failures := make([]error, len(imp.candidates))
	eachAtOnce(len(imp.candidates), func(i int) { failures[i] = imp.candidates[i].discover(ctx) })
	return failures
}

// identifyAll identifies the applications of all nodes; with all, it tries every profile.
func (imp *Import) identifyAll(ctx context.Context, all bool) {
	type question struct {
		*candidate
		node
		answer *answer
	}
	var questions []question
	for _, c := range imp.candidates {
		asked := c.known()[:min(len(c.known()), maxAsked)]
		c.answers = make([]answer, len(asked))
		for k, n := range asked {
			questions = append(questions, question{c, n, &c.answers[k]})
		}
	}
	eachAtOnce(len(questions), func(i int) {
		q := questions[i]
		*q.answer = q.identify(ctx, q.node, all)
	})
}

// eachAtOnce calls do with 0 to n-1, askAtOnce at a time, and waits for all.
func eachAtOnce(n int, do func(int)) {
	slots := make(chan struct{}, askAtOnce)
	var wg panics.Group
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

// discover asks the source of the nodes once, if the cluster has one.
func (c *candidate) discover(ctx context.Context) error {
	c.found = nil
	if !c.discovered() {
		return nil
	}
	cfg := c.configuration()
	if cfg == nil {
		return nil
	}
	from, ok := cfg.NodesFrom(cfg.Clusters[0].Name)
	if !ok {
		return nil
	}
	listed, err := discovery.New(from, cfg.Clusters[0]).Ask(ctx)
	if err != nil {
		return err
	}
	c.found = cfg.Nodes(cfg.Clusters[0].Name, listed)[len(c.nodes):]
	var names []string
	for _, n := range c.found[:min(len(c.found), maxSeen)] {
		names = append(names, n.ID)
	}
	for i := range c.keyComments {
		if known := &c.keyComments[i]; known.key == "nodes" && known.guessed && known.text == c.dynamic {
			known.guessed = false
			known.text = phrase.New("%s; asked: %d nodes (%s)", known.text, len(c.found), strings.Join(names, ", "))
		}
	}
	return nil
}

// known returns the nodes that can be asked: those of the file, and those that their
// source lists.
func (c *candidate) known() []node {
	nodes := slices.Clone(c.nodes)
	for _, n := range c.found {
		nodes = append(nodes, node{ID: n.ID, URL: n.URL.String(), Host: n.Host, Protocol: n.Protocol})
	}
	return nodes
}

// tryAll tries the sessions of all candidates.
func (imp *Import) tryAll(ctx context.Context) {
	eachAtOnce(len(imp.candidates), func(i int) {
		c := imp.candidates[i]
		c.tried = c.try(ctx)
		c.rename()
	})
}

// Moved reports whether answers to questions changed the address of a node after Ask, so
// that another Ask may learn more.
func (imp *Import) Moved() bool {
	return slices.ContainsFunc(imp.candidates, func(c *candidate) bool { return c.moved })
}

// Answering returns the names of the complete clusters of which a node and an address of
// the balancer answered.
func (imp *Import) Answering() (names []string) {
	for _, candidate := range imp.candidates {
		if candidate.skeleton.IsZero() && candidate.answered() && candidate.frontendUp {
			names = append(names, candidate.name)
		}
	}
	return names
}

// singleNodeCluster returns a cluster of that profile with the single node n.
func singleNodeCluster(profile string, n node) (*probes.Cluster, error) {
	cfg, err := config.FromFlags(config.Flags{
		Balancer: []string{n.URL}, Nodes: []string{"node=" + n.URL}, Profile: profile, Timeout: askTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("its address is none: %w", err)
	}
	trial := cfg.Clusters[0]
	trial.Nodes[0].Host, trial.Nodes[0].Protocol = n.Host, n.Protocol
	trial.Pages = nil
	return trial, nil
}

// checkFrontends checks whether the balancer's addresses answer, and returns the
// errors.
func (c *candidate) checkFrontends(ctx context.Context) (noAnswer []phrase.Phrase) {
	page, _ := c.samplePage()
	for _, front := range c.site.frontends[:min(len(c.site.frontends), maxAsked)] {
		at, err := url.Parse(front.url + c.base.path)
		if err != nil {
			continue
		}
		if _, err := get(ctx, at, "", page.path); err != nil { //nolint:bodyclose // get has closed it
			noAnswer = append(noAnswer, phrase.New("the balancer's address %s does not answer from here: %s", front.url, phrase.Reason(probes.WithoutURL(err).Error())))
			continue
		}
		c.frontendUp = true
	}
	return noAnswer
}

// get requests a page and discards the body.
func get(ctx context.Context, at *url.URL, host, path string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	client := probes.NewClient(probes.Target{URL: at, Host: host, Timeout: askTimeout})
	req, err := client.NewRequest(ctx, http.MethodGet, path)
	if err != nil {
		return nil, err
	}
	resp, err := client.HTTP().Do(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

// confirm checks which evidence can be read from this machine.
func (c *candidate) confirm(ctx context.Context) {
	for key, where := range c.evidence {
		if key == "nginx_error_log" {
			c.confirmed[key] = isReadable(where)
			continue
		}
		if key == "caddy_admin" { // an API without a page at its root
			where += "/reverse_proxy/upstreams"
		}
		at, err := url.Parse(where)
		if err != nil {
			continue
		}
		resp, err := get(ctx, &url.URL{Scheme: at.Scheme, Host: at.Host}, "", at.RequestURI()) //nolint:bodyclose // get has closed it
		c.confirmed[key] = err == nil && resp.StatusCode == http.StatusOK
	}
}

// isReadable reports whether a file can be read to its end.
func isReadable(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	file.Close()
	return true
}
