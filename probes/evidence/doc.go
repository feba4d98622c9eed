// Package evidence reads what balancers tell about their own servers: the
// error log of nginx, and the status pages of HAProxy, Apache httpd and Caddy.
//
// It is the only way to see an ejection that no probe has run into. It is
// evidence, not truth: a log may be set to leave out what is looked for, which
// an observation says in Silent, and an nginx that serves files lets clients
// write whole lines of its error log (it quotes the path that was not found
// with its line breaks decoded), so that an ejection which is read there is
// worth acting on only together with what was probed.
//
// Readers only ask: GET, no redirects, no cookies, bounded in bytes, entries
// and time. Errors never quote an answer, for a balancer manager's holds the
// nonce by which its reader could change the configuration.
package evidence
