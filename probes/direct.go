package probes

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"stickwatch/internal/panics"
)

// NodeTarget returns the target for direct requests to n.
func (c *Cluster) NodeTarget(n Node) Target {
	return Target{
		URL: n.URL, Host: n.Host, TLS: c.TLS, Timeout: c.Limits.Timeout, Dial: c.Dial, Header: c.Header, Limiter: c.Limiter, Node: n.ID,
		Wire: n.Protocol,
	}
}

// PrimaryPath returns the path whose answer decides whether a node is up: that of the
// status endpoint, else of the session, else of the first page, else "/".
func (c *Cluster) PrimaryPath() string {
	switch {
	case c.Status != nil:
		return c.Status.Path
	case c.Session != nil:
		return c.Session.Path
	case len(c.Pages) > 0:
		return c.Pages[0].Path
	default:
		return "/"
	}
}

// ClientPath returns the path that canaries and new clients request.
func (c *Cluster) ClientPath() string {
	if c.Session != nil {
		return c.Session.Path
	}
	return c.PrimaryPath()
}

// Direct sends all direct requests to one node, concurrently, and returns its answers.
func Direct(ctx context.Context, c *Cluster, n Node) (obs NodeObservation) {
	began := time.Now()
	client := NewClient(c.NodeTarget(n))
	if err := panics.Catch(panics.Probe, func() { obs = direct(ctx, c, n, client) }); err != nil {
		obs = client.failedNode(ctx, c, n, began, err)
	}
	if obs.Label == "" {
		obs.LastLabel = c.Limiter.lastLabel(n.ID)
	}
	return obs
}

// Unanswered returns the observation of a node whose direct requests timed out, of which the first was sent at began.
func Unanswered(c *Cluster, n Node, began time.Time) NodeObservation {
	err := stageError{error: context.DeadlineExceeded, stage: stageWaiting}
	obs := NewClient(c.NodeTarget(n)).failedNode(context.Background(), c, n, began, err)
	obs.LastLabel = c.Limiter.lastLabel(n.ID)
	return obs
}

// failedNode returns the observation of a node of which all direct requests failed with err.
func (c *Client) failedNode(ctx context.Context, cluster *Cluster, n Node, began time.Time, err error) NodeObservation {
	obs := NodeObservation{
		Node: n.ID, Primary: c.failed(ctx, pageRequest{path: cluster.PrimaryPath()}, began, err), Pages: c.failedPages(ctx, cluster, began, err),
	}
	if cluster.Session != nil {
		session := c.failed(ctx, pageRequest{path: cluster.Session.Path}, began, err)
		obs.Session = &session
	}
	return obs
}

// failedPages returns an exchange that failed with err for every page of the cluster.
func (c *Client) failedPages(ctx context.Context, cluster *Cluster, began time.Time, err error) []Exchange {
	pages := make([]Exchange, len(cluster.Pages))
	for i, page := range cluster.Pages {
		pages[i] = c.failed(ctx, pageRequest{path: page.Path}, began, err)
	}
	return pages
}

func direct(ctx context.Context, cluster *Cluster, n Node, client *Client) NodeObservation {
	obs := NodeObservation{Node: n.ID, Pages: make([]Exchange, len(cluster.Pages))}
	var session Exchange
	var primary Document
	var hidden secrets // of the primary answer
	var wg panics.Group

	primaryPath := cluster.PrimaryPath()
	primaryIsSession := cluster.Session != nil && cluster.Session.Path == primaryPath
	wg.Go(func() {
		q := pageRequest{path: primaryPath, version: cluster.Version, secrets: &hidden}
		if slices.ContainsFunc(cluster.Pages, func(p Page) bool { return p.Path == primaryPath }) {
			q.title = cluster.Title
		}
		if primaryIsSession {
			q.session, q.follow = cluster.Session, true
		}
		obs.Primary, primary = client.ask(ctx, q)
	})
	if cluster.Session != nil && !primaryIsSession {
		wg.Go(func() {
			session, _ = client.ask(ctx, pageRequest{path: cluster.Session.Path, session: cluster.Session, follow: true, version: cluster.Version})
		})
	}
	for i, page := range cluster.Pages {
		if page.Path != primaryPath {
			wg.Go(func() {
				obs.Pages[i], _ = client.ask(ctx, pageRequest{path: page.Path, version: cluster.Version, title: cluster.Title})
			})
		}
	}
	wg.Wait()

	for i, page := range cluster.Pages {
		if page.Path == primaryPath {
			obs.Pages[i] = obs.Primary
		}
	}
	if cluster.Session != nil {
		if primaryIsSession {
			session = obs.Primary
		}
		obs.Session = &session
		obs.Label = session.Label
	}
	obs.readStatus(cluster.Status, primary, &hidden)
	obs.conclude()
	cluster.Limiter.learnLabel(n.ID, obs.Label)
	return obs
}

// readStatus reads the status from the primary answer, if the cluster has a status
// endpoint.
func (o *NodeObservation) readStatus(status *Status, primary Document, hidden *secrets) {
	if status == nil {
		return
	}
	o.Status = parseStatus(primary.Body, status.Settings)
	hidden.redactStatus(o.Status)
	if o.Status == nil && o.Primary.Failure == "" && o.Primary.Status == http.StatusOK {
		o.StatusError = "the status is not a JSON object"
	}
}

// conclude combines the clock and the version of all exchanges.
func (o *NodeObservation) conclude() {
	exchanges := []Exchange{o.Primary}
	if o.Session != nil {
		exchanges = append(exchanges, *o.Session)
	}
	exchanges = append(exchanges, o.Pages...)
	o.Clock = clockOf(exchanges)
	for _, ex := range exchanges {
		o.Version = cmp.Or(o.Version, ex.Version)
	}
	if o.Status != nil {
		o.Version = cmp.Or(o.Version, o.Status.Version)
	}
}
