// Package lab runs real balancers and stores for tests: nginx, HAProxy, Apache
// httpd, Caddy, Tomcat, Redis, memcached, MariaDB and PostgreSQL, on loopback ports of their
// own, with everything they write in the test's temporary directory.
//
// It exists because a fake balancer proves only that its author read the manual
// the same way twice. What ejects a node, when it comes back, what a reload
// forgets and which line reaches the log are facts of the product, so they are
// measured on the product.
//
// Nothing here is installed or downloaded, but for socket.io's modules from npm. A test whose server is missing is
// skipped on a laptop and fails where CI is set: see [Require]. A server never
// outlives its test, not even one that is killed: see [Process].
package lab
