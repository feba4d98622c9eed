package cookies

import "strings"

// A habit is what is known of a cookie by its name alone.
type habit struct {
	product Product
	kind    Kind
}

// habits are the names by which products call their cookies unless told
// otherwise, and those that their manuals teach. Azure's instance can be asked
// for by sending its cookie, but is a hash that nobody outside can compute.
var habits = map[string]habit{
	"route":               {Nginx, KindStable}, // ingress-nginx's too
	"srv_id":              {Nginx, KindStable},
	"INGRESSCOOKIE":       {IngressNginx, KindStable},
	"ROUTEID":             {HTTPD, KindStable},
	"BALANCEID":           {HTTPD, KindStable},
	"SERVERID":            {HAProxy, KindStable},
	"SRVID":               {HAProxy, KindStable},
	"SRV":                 {HAProxy, KindStable},
	"lb":                  {Caddy, KindStable},
	"ARRAffinity":         {Azure, KindStable},
	"ARRAffinitySameSite": {Azure, KindStable},

	"GCLB":  {GoogleCloud, KindRotating},
	"GCILB": {GoogleCloud, KindRotating},

	"JSESSIONID":        {HTTPD, KindNone},
	"SESSION":           {Application, KindNone}, // unless it looks like Spring's
	"PHPSESSID":         {Application, KindNone},
	"connect.sid":       {Application, KindNone},
	"ASP.NET_SessionId": {Application, KindNone},
}

// prefixes begin the names that go on with a pool's, an application's or a
// variant's.
var prefixes = []struct {
	text string
	habit
}{
	{"BIGipServer", habit{BIGIP, KindStable}},
	{"AWSALB", habit{AWS, KindRotating}}, // AWSALBAPP-0, AWSALBCORS, AWSALBTG too
	{"AWSELB", habit{AWS, KindRotating}},
	{"ASPSESSIONID", habit{Application, KindNone}},
}

func habitOf(name string) (habit, bool) {
	if h, ok := habits[name]; ok {
		return h, true
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p.text) {
			return p.habit, true
		}
	}
	return habit{}, false
}
