package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// A herald tells a daemon of a deployment, so that it records it, notifies nobody
// of what the deployment explains, and sums it up afterwards. That it cannot be
// reached holds up no deployment. A nil one tells nobody.
type herald struct {
	client   *apiClient
	warnings io.Writer
	open     []begun
	watches  map[string]gate.Report // by cluster; what was counted until the end
}

// begun is a deployment that the daemon knows of.
type begun struct{ id, cluster string }

// counted is what the daemon is told at the end of a deployment.
type counted struct {
	Moved           int   `json:"sessions_moved"`
	Lost            int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// deploymentsPath is where the API has deployments.
const deploymentsPath = "/api/v1/deployments"

// heraldPatience bounds what a daemon may take for an answer: somebody waits for
// their deployment.
const heraldPatience = 5 * time.Second

// herald returns one for the daemon that the flags name; nil: they name none. A
// configuration tells where its admin socket may be.
func (o *watchOptions) herald(ctx context.Context, warnings io.Writer, file string) (*herald, error) {
	if o.server.server.value == nil {
		return nil, nil
	}
	client, err := o.server.client(ctx, configurationIfAny(file))
	if err != nil {
		return nil, err
	}
	return &herald{client: client, warnings: warnings}, nil
}

// begin tells of a deployment of each cluster. Failures are warnings.
func (h *herald) begin(ctx context.Context, clusters []*probes.Cluster, what string) {
	if h == nil {
		return
	}
	for _, c := range clusters {
		var answer struct {
			ID string `json:"id"`
		}
		if err := h.tell(ctx, deploymentsPath, map[string]string{"cluster": c.Name, "name": what}, &answer); err != nil {
			h.warn("of "+name(c.Name)+" is not recorded, and the daemon notifies of what it brings about", err)
			continue
		}
		h.open = append(h.open, begun{answer.ID, c.Name})
	}
}

// end tells that the deployments are over, once. It does so even when the program is
// about to be interrupted: a daemon that takes what follows for the deployment's
// doing would be worse.
func (h *herald) end() {
	if h == nil {
		return
	}
	open := h.open
	h.open = nil
	for _, one := range open {
		var counts any
		if w, ok := h.watches[one.cluster]; ok {
			counts = counted{w.Moved, w.Lost, w.Summary().LongestOutage.Milliseconds()}
		}
		if err := h.tell(context.Background(), deploymentsPath+"/"+url.PathEscape(one.id)+"/end", counts, nil); err != nil {
			h.warn(name(one.id)+" is not ended there, and goes on for the daemon", err)
		}
	}
}

// counted takes over what became of users, for the end.
func (h *herald) counted(watches map[string]gate.Report) {
	if h != nil {
		h.watches = watches
	}
}

func (h *herald) tell(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, heraldPatience)
	defer cancel()
	return h.client.call(ctx, http.MethodPost, path, in, out)
}

func (h *herald) warn(outcome string, err error) {
	fmt.Fprintf(h.warnings, "stickwatch: the deployment %s: %s\n", outcome, prose(err.Error()))
}
