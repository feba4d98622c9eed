package evidence

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// ApacheStatus reads mod_status at u, in its form for machines, which the query
// "auto" asks for whether or not u has it. httpd tells of its balancers there
// only with "ProxyStatus On". A nil client means one of its own.
func ApacheStatus(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
	v := *u
	v.RawQuery = "auto"
	return page{
		kind:  probes.EvidenceApacheStatus,
		name:  "apache status",
		url:   &v,
		parse: parseApacheStatus,
		empty: `it names no server: is "ProxyStatus On" set?`,
	}.read(ctx, client)
}

var (
	errNotStatus = errors.New(`the answer is not that of mod_status: want a URL with "SetHandler server-status"`)

	apacheLine = regexp.MustCompile(`^ProxyBalancer\[(\d+)\](?:Worker\[(\d+)\])?(Name|Status): (.*)$`)
)

// parseApacheStatus reads lines such as "ProxyBalancer[0]Worker[1]Status: Init Err ".
// A worker is known by its URL alone, for its route is not told here.
func parseApacheStatus(body []byte, _ time.Time) ([]probes.ServerEvidence, error) {
	if !bytes.Contains(body, []byte("\nServerUptimeSeconds: ")) && !bytes.Contains(body, []byte("\nScoreboard: ")) {
		return nil, errNotStatus
	}
	var list []probes.ServerEvidence
	var pool string
	for text := range bytes.Lines(body) {
		m := apacheLine.FindStringSubmatch(string(bytes.TrimRight(text, "\r\n")))
		switch {
		case m == nil:
		case m[2] == "" && m[3] == "Name":
			pool = balancerName(m[4])
		case m[2] == "":
		case m[3] == "Name":
			list = append(list, apacheWorker(pool, m[4], "", ""))
		case len(list) == 0:
		case m[3] == "Status":
			s := &list[len(list)-1]
			s.State, s.Detail = apacheState(m[4]), probes.Clean(m[4], probes.MaxError)
		}
	}
	return list, nil
}

// apacheWorker is a balancer's member by its URL, route and status words.
func apacheWorker(pool, name, route, status string) probes.ServerEvidence {
	s := probes.ServerEvidence{
		Pool:    pool,
		Server:  probes.Clean(route, maxName),
		Address: address(name),
		Scheme:  scheme(name),
		State:   apacheState(status),
		Detail:  probes.Clean(status, probes.MaxError),
	}
	if s.Server == "" {
		s.Server = s.Address
	}
	if s.Server == "" {
		s.Server = probes.Clean(name, maxName)
	}
	return s
}

func balancerName(text string) string {
	return probes.Clean(strings.TrimPrefix(text, "balancer://"), maxName)
}

// apacheState maps httpd's status words, of which a worker has several ("Init
// Dis Err"). What an operator set goes before what httpd found: httpd does not
// try a worker that is both. Standbys and spares are up as long as they are Ok.
func apacheState(status string) probes.ServerState {
	words := strings.Fields(status)
	has := func(any ...string) bool {
		return slices.ContainsFunc(any, func(word string) bool { return slices.Contains(words, word) })
	}
	switch {
	case has("Dis", "Stop"):
		return probes.ServerMaintenance
	case has("Drn"):
		return probes.ServerDraining
	case has("Err", "HcFl", "Shut"):
		return probes.ServerDown
	case has("Ok"):
		return probes.ServerUp
	default:
		return probes.ServerUnknown
	}
}
