package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"stickwatch/probes"
)

// A herald tells a daemon of a deployment, so that it records it and is silent
// about the clusters meanwhile. That it cannot be reached holds up no
// deployment. A nil one tells nobody.
type herald struct {
	client   *apiClient
	warnings io.Writer
	open     []string // ids of the deployments that were begun
}

// deploymentsPath is where the API has deployments.
const deploymentsPath = "/api/v1/deployments"

// heraldPatience bounds what a daemon may take for an answer: somebody waits for
// their deployment.
const heraldPatience = 5 * time.Second

// herald returns one for the daemon that the flags name; nil: they name none.
func (o *watchOptions) herald(c console) (*herald, error) {
	if o.server.server.value == nil {
		return nil, nil
	}
	client, err := o.server.client("")
	if err != nil {
		return nil, err
	}
	return &herald{client: client, warnings: c.err}, nil
}

// begin tells of a deployment of each cluster. Failures are warnings.
func (h *herald) begin(ctx context.Context, clusters []*probes.Cluster, what string) {
	if h == nil {
		return
	}
	for _, c := range clusters {
		var begun struct {
			ID string `json:"id"`
		}
		if err := h.tell(ctx, deploymentsPath, map[string]string{"cluster": c.Name, "name": what}, &begun); err != nil {
			h.warn("of "+name(c.Name)+" is not recorded, and the cluster not silenced", err)
			continue
		}
		h.open = append(h.open, begun.ID)
	}
}

// end tells that the deployments are over. It does so even when the program is
// about to be interrupted: a cluster that stays silenced would be worse.
func (h *herald) end() {
	if h == nil {
		return
	}
	for _, id := range h.open {
		if err := h.tell(context.Background(), deploymentsPath+"/"+url.PathEscape(id)+"/end", nil, nil); err != nil {
			h.warn(name(id)+" is not ended there, and the cluster still silenced", err)
		}
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
