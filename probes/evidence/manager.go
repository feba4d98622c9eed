package evidence

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stickwatch/probes"
)

// ApacheBalancerManager reads the balancer manager at u, as XML. Whatever query
// u has is not sent, for by queries the manager is told to change things. A nil
// client means one of its own.
//
// The answer holds the nonce that a change needs. It is not read, and appears
// in no error; [ApacheStatus] tells less and is the safer source.
func ApacheBalancerManager(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
	v := *u
	v.RawQuery = "xml=1"
	// Without a Referer from the server itself httpd answers with the page for
	// people (mod_proxy_balancer guards against forged requests by it).
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
	errManagerXML = errors.New("the balancer manager answers with its page for people: want a URL whose host is the server's own name")
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
	ErrorTime string `xml:"error_time"` // RFC 1123; only of workers that ever failed
}

// parseManager reads the manager's XML. The decoder's own errors quote the
// document, so none is passed on.
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
