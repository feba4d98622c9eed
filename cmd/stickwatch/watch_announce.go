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
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An announcer announces a deployment to a daemon, which records it, holds back
// notifications that it explains, and summarises it. Errors are warnings: an unreachable
// daemon does not stop a deployment. The methods of a nil announcer do nothing.
type announcer struct {
	client   *apiClient
	warnings io.Writer
	open     []announcedDeployment
	watches  map[string]gate.Report // by cluster; nil until the watch has ended
}

// An announcedDeployment is a deployment that the daemon has recorded.
type announcedDeployment struct{ id, cluster string }

// deploymentsPath is the path of deployments in the API.
const deploymentsPath = "/api/v1/deployments"

// announceTimeout bounds a call to the daemon, because it delays the deployment.
const announceTimeout = 5 * time.Second

// announcer returns an announcer to the daemon that the flags name; nil if they name
// none. The configuration file may name its admin socket.
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

// announce announces a deployment of each cluster. Failures are warnings.
func (a *announcer) announce(ctx context.Context, clusters []*probes.Cluster, name string) {
	if a == nil {
		return
	}
	for _, c := range clusters {
		var answer wire.Deployment
		if err := a.post(ctx, deploymentsPath, wire.DeploymentRequest{Cluster: c.Name, Name: name}, &answer); err != nil {
			a.warn("of "+render.CleanName(c.Name)+" is not recorded, so the daemon notifies of its effects", err)
			continue
		}
		a.open = append(a.open, announcedDeployment{answer.ID, c.Name})
	}
}

// finish ends the announced deployments. Only the first call has an effect. An
// interruption does not stop it: otherwise the daemon would attribute later findings to
// the deployment.
func (a *announcer) finish() {
	if a == nil {
		return
	}
	open := a.open
	a.open = nil
	for _, opened := range open {
		var counts any
		if w, ok := a.watches[opened.cluster]; ok {
			counts = wire.DeploymentEndRequest{Moved: w.Moved, Lost: w.Lost, LongestOutageMS: w.Summary().LongestOutage.Milliseconds()}
		}
		if err := a.post(context.Background(), deploymentsPath+"/"+url.PathEscape(opened.id)+"/end", counts, nil); err != nil {
			a.warn(render.CleanName(opened.id)+" is not ended, and stays active for the daemon", err)
		}
	}
}

// setCounts sets the watches whose totals finish sends.
func (a *announcer) setCounts(watches map[string]gate.Report) {
	if a != nil {
		a.watches = watches
	}
}

func (a *announcer) post(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, announceTimeout)
	defer cancel()
	return a.client.call(ctx, http.MethodPost, path, in, out)
}

func (a *announcer) warn(outcome string, err error) {
	fmt.Fprintf(a.warnings, "stickwatch: the deployment %s: %s\n", outcome, render.CleanSentence(err.Error()))
}
