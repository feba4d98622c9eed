package probes

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// limitedFor returns how long an answer that a limit of requests may have caused wants no other
// request, within bounds; 0: it is another answer.
func limitedFor(status int, doc Document) time.Duration {
	if !refusesPace(status, doc.Body) {
		return 0
	}
	seconds, _ := strconv.Atoi(doc.Header.Get("Retry-After"))
	return time.Duration(min(max(1, seconds), 10)) * time.Second
}

// refusesPace reports whether an answer is one with which a server refuses a client that sends too
// many requests: a 429, or the page that a balancer has for it by default. Of other 503 and 403, which
// nodes and failing balancers give as well, the status says nothing.
func refusesPace(status int, body []byte) bool {
	contains := func(text string) bool { return bytes.Contains(body, []byte(text)) }
	switch status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable: // nginx, limit_req and limit_conn; a node that fails makes it answer 502 or 504
		return contains("<center><h1>503 Service Temporarily Unavailable</h1></center>") && contains("<hr><center>")
	case http.StatusForbidden: // HAProxy, http-request deny
		return contains("Request forbidden by administrative rules.")
	default:
		return false
	}
}
