package main

import (
	"strings"

	"stickwatch/internal/render"
)

// An apiRequest is one that serve answers. A test keeps the list equal to the
// routes of package web, and to internal/docs/api.md.
type apiRequest struct {
	route   string // as package web has it
	answers string
}

var apiRequests = []apiRequest{
	{"GET /api/v1/clusters", "every cluster, as probe -o json has it, with since when"},
	{"GET /api/v1/clusters/{name}", "one of them"},
	{"POST /api/v1/clusters/{name}/probe", "probes now, then the same"},
	{"GET /api/v1/incidents", "newest first; cluster, state (pending, firing, resolved), since, until, limit"},
	{"GET /api/v1/incidents/{id}", "one, with its findings and timeline"},
	{"GET /api/v1/history", "uptimes, session moves and deployments of a cluster; since, until; with target, kind and step its points"},
	{"GET /api/v1/silences", "those that are active or to come"},
	{"POST /api/v1/silences", "makes one of cluster, node, code, or all; reason, author, from, and to or duration"},
	{"DELETE /api/v1/silences/{id}", "ends it"},
	{"GET /api/v1/deployments", "those of a cluster; since, until"},
	{"POST /api/v1/deployments", "announces one: cluster, name, nodes; nobody is notified of what it explains"},
	{"POST /api/v1/deployments/{id}/end", "ends it"},
	{"GET /metrics", "for Prometheus (stickwatch help metrics)"},
	{"GET /probe", "a round of a cluster at once, and its metrics"},
	{"GET /-/healthy", "200 while the process can answer"},
	{"GET /-/ready", "200, or 503 and why it cannot tell anything yet"},
	{"POST /-/reload", "reads the configuration again; 422 with what is wrong"},
	{"GET /-/admin", "by the admin socket alone: where the daemon answers else"},
	{"POST /-/token", "by the admin socket alone: a token, or a link for a browser; duration, bearer"},
	{"GET /login", "gives a browser that comes by such a link the right to change something"},
	{"GET /", "the status page, with /clusters/{name}, /incidents and /incidents/{id}"},
	{"GET /events", "server-sent events: a cluster's picture has changed"},
}

func apiTopic() string {
	s := render.NewText(render.Options{})
	s.Line("What serve answers over HTTP. since and until take a time, or how long ago: 24h,")
	s.Line("7d. Errors are RFC 9457 problems. Reading is open unless --web.config.file names")
	s.Line("users; what changes something is for those, for whoever may open the admin")
	s.Line("socket of serve, and for who has a token of stickwatch token.")
	s.Blank()
	for _, r := range apiRequests {
		s.Line(r.route)
		s.Paragraph("    ", "    ", r.answers)
	}
	return strings.TrimRight(s.String(), "\n")
}
