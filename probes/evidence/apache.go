package evidence

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// ApacheStatus reads mod_status at u in its machine-readable form: the query of u is
// replaced by "auto". httpd includes its balancers only with "ProxyStatus On". A nil
// client means a default one.
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

// parseApacheStatus reads lines such as "ProxyBalancer[0]Worker[1]Status: Init Err ". A
// worker has a URL and no route here.
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

// apacheWorker returns a balancer's member with its URL, route and status.
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

// apacheState maps httpd's status words, of which a worker has several ("Init Dis
// Err"). A state set by an operator comes before one found by httpd, which does not use
// a worker that has both. Standbys and spares are up while they are Ok.
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

// ApacheBalancerManager reads the balancer manager at u, as XML. The query of u is not
// sent, because the manager takes changes by queries. A nil client means a default one.
//
// The answer contains the nonce that allows changes. It is not read and appears in no
// error. [ApacheStatus] reports less and is the safer source.
func ApacheBalancerManager(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
	v := *u
	v.RawQuery = "xml=1"
	// Without a Referer from the server itself, httpd answers with the HTML page:
	// mod_proxy_balancer uses it as a protection against forged requests.
	referer := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	return page{
		kind:    probes.EvidenceApacheBalancerManager,
		name:    "apache balancer manager",
		url:     &v,
		referer: referer.String(),
		parse:   parseManager,
		empty:   "it names no server",
	}.read(ctx, client)
}

var (
	errNotManager = errors.New(`the answer is not that of the balancer manager: want a URL with "SetHandler balancer-manager"`)
	errManagerXML = errors.New("the balancer manager answers with its HTML page: want a URL whose host is the server's own name")
)

// managerXML is the document without its nonces.
type managerXML struct {
	XMLName   xml.Name `xml:"manager"`
	Balancers []struct {
		Name    string          `xml:"name"`
		Workers []managerWorker `xml:"workers>worker"`
	} `xml:"balancers>balancer"`
}

type managerWorker struct {
	Name      string `xml:"name"`
	Status    string `xml:"status"`
	Route     string `xml:"route"`
	ErrorTime string `xml:"error_time"` // RFC 1123; only of workers that have failed
}

// parseManager reads the manager's XML. It does not return the decoder's errors,
// because they quote the document.
func parseManager(body []byte, _ time.Time) ([]probes.ServerEvidence, error) {
	if bytes.Contains(body, []byte("<h1>Load Balancer Manager for ")) {
		return nil, errManagerXML
	}
	var doc managerXML
	if err := xml.Unmarshal(body, &doc); err != nil {
		return nil, errNotManager
	}
	var list []probes.ServerEvidence
	for _, balancer := range doc.Balancers {
		pool := balancerName(balancer.Name)
		for _, w := range balancer.Workers {
			s := apacheWorker(pool, w.Name, w.Route, w.Status)
			if at, err := http.ParseTime(strings.TrimSpace(w.ErrorTime)); err == nil && s.State == probes.ServerDown {
				s.Since = at
			}
			list = append(list, s)
		}
	}
	return list, nil
}
