package cookies

import "strings"

// A naming is what is known of a cookie by its name alone.
type naming struct {
	product Product
	kind    Kind
}

// namings are the names by which products call their cookies unless told
// otherwise, and those that their manuals teach. Azure's instance can be asked
// for by sending its cookie, but is a hash that nobody outside can compute.
var namings = map[string]naming{
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
	naming
}{
	{"BIGipServer", naming{BIGIP, KindStable}},
	{"AWSALB", naming{AWS, KindRotating}}, // AWSALBAPP-0, AWSALBCORS, AWSALBTG too
	{"AWSELB", naming{AWS, KindRotating}},
	{"ASPSESSIONID", naming{Application, KindNone}},
}

func namingOf(name string) (naming, bool) {
	if h, ok := namings[name]; ok {
		return h, true
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p.text) {
			return p.naming, true
		}
	}
	return naming{}, false
}
