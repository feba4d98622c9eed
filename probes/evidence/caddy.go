package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stickwatch/probes"
)

// CaddyAdmin reads the upstreams from the admin API at u. A nil client means
// one of its own.
//
// Caddy tells how many failures it remembers of an upstream, but not how many
// take it out, which is for its max_fails to say: the state is always unknown,
// and Fails is what there is.
func CaddyAdmin(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
	const path = "/reverse_proxy/upstreams"
	v := *u
	if !strings.HasSuffix(v.Path, path) {
		v.Path, v.RawPath = strings.TrimSuffix(v.Path, "/")+path, ""
	}
	v.RawQuery = ""
	return page{
		kind:  probes.EvidenceCaddyAdmin,
		name:  "caddy admin",
		url:   &v,
		parse: parseCaddy,
		empty: "it names no upstream: does this Caddy have a reverse_proxy?",
	}.read(ctx, client)
}

var errNotUpstreams = errors.New("the answer is not Caddy's list of upstreams: want the URL of its admin API")

// parseCaddy reads [{"address": "host:port", "num_requests": 0, "fails": 0}].
func parseCaddy(body []byte, _ time.Time) ([]probes.ServerEvidence, error) {
	var upstreams []struct {
		Address  string `json:"address"`
		Requests int    `json:"num_requests"` // those it is answering now
		Fails    int    `json:"fails"`        // those within the last fail_duration
	}
	if err := json.Unmarshal(body, &upstreams); err != nil {
		return nil, errNotUpstreams
	}
	var list []probes.ServerEvidence
	for _, u := range upstreams {
		name := probes.Clean(u.Address, maxName)
		if name == "" {
			continue
		}
		s := probes.ServerEvidence{Server: name, Address: name, State: probes.ServerUnknown, Fails: max(0, u.Fails)}
		s.Detail = fmt.Sprintf("%d recent failures, %d requests under way", s.Fails, max(0, u.Requests))
		list = append(list, s)
	}
	return list, nil
}
