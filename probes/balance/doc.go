// Package balance is the balancers' own arithmetic: which server line of an
// nginx upstream block a client or a key is sent to.
//
// Asking the balancer costs a request and tells one client's fate. Computing
// it costs nanoseconds and tells everybody's: where millions of clients of a
// log went, where they go when a server is ejected, and which address a prober
// must show to reach the server it wants. That is only worth something if it
// is exact, so the algorithms follow nginx 1.22
// (src/http/modules/ngx_http_upstream_{ip_hash,hash}_module.c) step by step,
// and the tests hold them against picks recorded from a running nginx.
//
// What hashing does not decide, nobody outside nginx can tell: after 21
// refusals, or with an empty key, it takes the next server of its round robin,
// whose position depends on every request before. Pick then says so rather
// than guess, unless a single server is left to choose from.
//
// Each server line counts as one server. A host name that resolves to several
// addresses makes several servers of one line, and max_conns refuses a server
// that is merely busy: neither can be seen from here.
package balance
