// Package cookies tells from the cookies a client holds which node its balancer
// has pinned it to.
//
// Most balancers that promise stickiness write the node into a cookie: as it is
// called in their own file, as its address, or as a hash of one of these. Who
// knows the servers can turn that around, and so learn where a client belongs
// without any page that says so.
//
// A cookie is a statement of intent: it names the node that the balancer wants
// for the client's next request, not the one that gave the last answer. The two
// differ exactly when something is wrong, or somebody set the cookie before the
// answer failed over. A page's own word is therefore always the better witness.
// When the node is dead and another answers, HAProxy's inserted cookies, Caddy's
// and httpd's ROUTEID are set anew and tell who took over; HAProxy's prefix and
// rewrite modes and the routes of session ids are not until the application
// sets its cookie, and go on naming the dead one. The package lab shows it.
//
// Values of cookies are credentials, or as good as one. Nothing in this package
// returns, logs or keeps a value: what comes out is a node's id from the
// caller's own list, or an address that the cookie spells.
package cookies
