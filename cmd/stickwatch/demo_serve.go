package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/daemon"
	"stickwatch/internal/demo"
	"stickwatch/internal/panics"
)

// serve watches the cluster as the command serve does, while faults come and go.
func (o *demoOptions) serve(parent context.Context, c console, cluster *demo.Cluster) error {
	folder, err := os.MkdirTemp("", "stickwatch-demo-")
	if err != nil {
		return exitError{exitInconclusive, err}
	}
	defer os.RemoveAll(folder)
	server := serveOptions{logFormat: newSetting("text", oneOf([]string{"text"})), logLevel: newSetting("info", logLevel)}
	log := server.openLog(c.err)
	ctx, stop := context.WithCancel(parent)
	var story panics.Group
	defer story.Wait()
	defer stop()
	if len(o.faults) == 0 {
		story.Go(func() { o.cycleFaults(ctx, cluster, log.Logger) })
	}
	return server.serve(ctx, c, log, func() (*config.Config, error) { return demoConfig(cluster, o.listen, folder) }, func(d *daemon.Daemon) error {
		link, err := d.Link(demoLink)
		fmt.Fprintf(log.out, "To silence and to probe on the page, too, come by this link:\n  %s\n\n", link)
		return err
	})
}

// demoLink is for how long the link is good that lets a browser change something.
const demoLink = 24 * time.Hour

// cycleFaults lets one fault after the other come and go.
func (o *demoOptions) cycleFaults(ctx context.Context, cluster *demo.Cluster, logger *slog.Logger) {
	for pause(ctx, o.every.value) {
		for _, f := range demo.Faults() {
			logger.Info("the demo breaks something", "fault", f.Name, "what", f.Description)
			if err := cluster.Break(f.Name); err != nil {
				logger.Error("the demo", "err", err)
			}
			if !pause(ctx, o.every.value) {
				return
			}
			logger.Info("the demo repairs it", "fault", f.Name)
			if err := cluster.Heal(); err != nil {
				logger.Error("the demo", "err", fmt.Errorf("after %q: %w", f.Name, err))
			}
			if !pause(ctx, o.every.value) {
				return
			}
		}
	}
}
