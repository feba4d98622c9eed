package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/internal/panics"
)

// status is the body of Strategy Collaboration Server's /status, as its clustering
// guide prints it.
type status struct {
	Version   string       `json:"version"`
	EnableTLS bool         `json:"enableTls"`
	Scaling   string       `json:"scaling"`
	Logging   bool         `json:"logging"`
	State     string       `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	Main      statusOfMain `json:"main"`
}

type statusOfMain struct {
	CPU         statusGauge    `json:"cpu"`
	Memory      statusGauge    `json:"memory"`
	Connections statusCounts   `json:"connections"`
	Messages    statusMessages `json:"messages"`
	RESTCalls   statusRESTCall `json:"restCalls"`
	UpSince     string         `json:"up_since"`
	PID         int64          `json:"pid"`
}

type statusGauge struct {
	Current uint64 `json:"current"`
	Max     uint64 `json:"max"`
}

type statusCounts struct {
	Total   int64 `json:"total"`
	Current int   `json:"current"`
	Max     int   `json:"max"`
}

type statusMessages struct {
	Processed int64 `json:"processed"`
}

type statusRESTCall struct {
	Received int64 `json:"received"`
}

// upSinceLayout is the documented format: without padding except for the time, and
// without a zone. The nodes use UTC.
const upSinceLayout = "2006-1-2 15:04:05"

// pausedBy is the beginning of the documented reason of a server without its
// dependencies.
const pausedBy = "The following dependent services are unavailable: "

// dependencyTimeout limits how long /status waits for one dependency.
const dependencyTimeout = 2 * time.Second

// serveStatus answers 200 in any state: no other status is documented.
func (n *Node) serveStatus(w http.ResponseWriter, r *http.Request) {
	body, err := json.Marshal(n.status(r.Context()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Write(body)
}

func (n *Node) status(ctx context.Context) status {
	faults, process := n.Faults(), n.process.Load()
	s := status{
		Version: n.version(),
		Scaling: "horizontal",
		Logging: true,
		State:   "running",
		Reason:  faults.Paused,
		Main: statusOfMain{
			Memory:      memory(),
			Connections: process.sockets.counts(),
			Messages:    statusMessages{process.sockets.messages.Load()},
			RESTCalls:   statusRESTCall{process.requests.Load()},
			UpSince:     process.since.UTC().Format(upSinceLayout),
			PID:         process.pid,
		},
	}
	if faults.Scaling != "" {
		s.Scaling = faults.Scaling
	}
	if down := n.unavailable(ctx); s.Reason == "" && len(down) > 0 {
		s.Reason = pausedBy + strings.Join(down, ", ")
	}
	if s.Reason != "" {
		s.State = "paused"
		if faults.ReasonCounts {
			s.Reason += fmt.Sprintf(" (answer %d)", process.requests.Load())
		}
	}
	return s
}

// unavailable checks all dependencies concurrently and returns the names of those that
// fail, sorted.
func (n *Node) unavailable(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, dependencyTimeout)
	defer cancel()
	var (
		wg   panics.Group
		mu   sync.Mutex
		down []string
	)
	for name, check := range n.config.Dependencies {
		wg.Go(func() {
			if check(ctx) != nil {
				mu.Lock()
				defer mu.Unlock()
				down = append(down, name)
			}
		})
	}
	wg.Wait()
	slices.Sort(down)
	return down
}

// memory returns the memory of the process of all nodes, in bytes.
func memory() statusGauge {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(samples)
	return statusGauge{Current: samples[0].Value.Uint64(), Max: samples[1].Value.Uint64()}
}
