package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/internal/render"
	"stickwatch/probes"
)

// A announcer tells a daemon of a deployment, so that it records it, notifies nobody
// of what the deployment explains, and sums it up afterwards. That it cannot be
// reached holds up no deployment. A nil one tells nobody.
type announcer struct {
	client   *apiClient
	warnings io.Writer
	open     []announcedDeployment
	watches  map[string]gate.Report // by cluster; what was counted until the end
}

// announcedDeployment is a deployment that the daemon knows of.
type announcedDeployment struct{ id, cluster string }

// deploymentCounts is what the daemon is told at the end of a deployment.
type deploymentCounts struct {
	Moved           int   `json:"sessions_moved"`
	Lost            int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// deploymentsPath is where the API has deployments.
const deploymentsPath = "/api/v1/deployments"

// announceTimeout bounds what a daemon may take for an answer: somebody waits for
// their deployment.
const announceTimeout = 5 * time.Second

// announcer returns one for the daemon that the flags name; nil: they name none. A
// configuration tells where its admin socket may be.
func (o *watchOptions) announcer(ctx context.Context, warnings io.Writer, file string) (*announcer, error) {
	if o.server.server.value == nil {
		return nil, nil
	}
	client, err := o.server.client(ctx, configurationIfAny(file))
	if err != nil {
		return nil, err
	}
	return &announcer{client: client, warnings: warnings}, nil
}

// announce tells of a deployment of each cluster. Failures are warnings.
func (h *announcer) announce(ctx context.Context, clusters []*probes.Cluster, what string) {
	if h == nil {
		return
	}
	for _, c := range clusters {
		var answer struct {
			ID string `json:"id"`
		}
		if err := h.post(ctx, deploymentsPath, map[string]string{"cluster": c.Name, "name": what}, &answer); err != nil {
			h.warn("of "+render.CleanName(c.Name)+" is not recorded, and the daemon notifies of what it brings about", err)
			continue
		}
		h.open = append(h.open, announcedDeployment{answer.ID, c.Name})
	}
}

// finish tells that the deployments are over, once. It does so even when the program is
// about to be interrupted: a daemon that takes what follows for the deployment's
// doing would be worse.
func (h *announcer) finish() {
	if h == nil {
		return
	}
	open := h.open
	h.open = nil
	for _, one := range open {
		var counts any
		if w, ok := h.watches[one.cluster]; ok {
			counts = deploymentCounts{w.Moved, w.Lost, w.Summary().LongestOutage.Milliseconds()}
		}
		if err := h.post(context.Background(), deploymentsPath+"/"+url.PathEscape(one.id)+"/end", counts, nil); err != nil {
			h.warn(render.CleanName(one.id)+" is not ended there, and goes on for the daemon", err)
		}
	}
}

// setCounts takes over what became of users, for the end.
func (h *announcer) setCounts(watches map[string]gate.Report) {
	if h != nil {
		h.watches = watches
	}
}

func (h *announcer) post(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	return h.client.call(ctx, http.MethodPost, path, in, out)
}

func (h *announcer) warn(outcome string, err error) {
	fmt.Fprintf(h.warnings, "stickwatch: the deployment %s: %s\n", outcome, render.CleanSentence(err.Error()))
}
