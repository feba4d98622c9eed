package importer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/panics"
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
	var wg panics.Group
	noAnswer := make([][]string, len(imp.candidates))
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
		for _, a := range candidate.answers {
			if a.failure != "" {
				imp.silent.note("%s: %s does not answer: %s", candidate.name, a.node, a.failure)
			}
		}
	}
}

// identifyAll identifies the applications of all nodes; with all, it tries every profile.
func (imp *Import) identifyAll(ctx context.Context, all bool) {
	slots := make(chan struct{}, askAtOnce)
	var wg panics.Group
	for _, candidate := range imp.candidates {
		asked := candidate.nodes[:min(len(candidate.nodes), maxAsked)]
		candidate.answers = make([]answer, len(asked))
		for k, n := range asked {
			wg.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				candidate.answers[k] = candidate.identify(ctx, n, all)
			})
		}
	}
	wg.Wait()
}

// tryAll tries the sessions of all candidates.
func (imp *Import) tryAll(ctx context.Context) {
	slots := make(chan struct{}, askAtOnce)
	var wg panics.Group
	for _, candidate := range imp.candidates {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			candidate.tried = candidate.try(ctx)
			candidate.rename()
		})
	}
	wg.Wait()
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
		if candidate.skeleton == "" && candidate.answered() && candidate.frontendUp {
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
func (c *candidate) checkFrontends(ctx context.Context) (noAnswer []string) {
	page, _ := c.samplePage()
	for _, e := range c.site.frontends[:min(len(c.site.frontends), maxAsked)] {
		at, err := url.Parse(e.url + c.base.path)
		if err != nil {
			continue
		}
		if _, err := get(ctx, at, "", page.path); err != nil { //nolint:bodyclose // get has closed it
			noAnswer = append(noAnswer, fmt.Sprintf("the balancer's address %s does not answer from here: %v", e.url, probes.WithoutURL(err)))
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
