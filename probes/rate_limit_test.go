package probes

import (
	"net/http"
	"testing"
	"time"
)

func TestLimitedFor(t *testing.T) {
	const nginx = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n" +
		"<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
	for name, c := range map[string]struct {
		status     int
		body       string
		retryAfter string
		want       time.Duration
	}{
		"429":                            {429, "", "", time.Second},
		"429 with Retry-After":           {429, "", "4", 4 * time.Second},
		"429 with a long Retry-After":    {429, "", "3600", 10 * time.Second},
		"nginx limit_req":                {503, nginx, "", time.Second},
		"HAProxy deny":                   {403, "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n", "", time.Second},
		"HAProxy without a server":       {503, "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n", "", 0},
		"httpd without a worker":         {503, "<title>503 Service Unavailable</title>\n</head><body>\n<h1>Service Unavailable</h1>", "", 0},
		"a load balancer without target": {503, "<html>\n<head><title>503 Service Temporarily Unavailable</title></head>\n<body>\n<center><h1>503 Service Temporarily Unavailable</h1></center>\n</body>\n</html>", "", 0},
		"an application's 403":           {403, "CSRF verification failed. Request aborted.", "", 0},
		"an application's 503":           {503, "down for maintenance", "60", 0},
		"200 with such a page":           {200, nginx, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if c.retryAfter != "" {
				header.Set("Retry-After", c.retryAfter)
			}
			if got := limitedFor(c.status, Document{Header: header, Body: []byte(c.body)}); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
