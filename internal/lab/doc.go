// Package lab runs real balancers and stores for tests: nginx, HAProxy, Apache httpd,
// Caddy, Tomcat, Redis, memcached, MariaDB and PostgreSQL. They use their own loopback
// ports and write only to the test's temporary directory.
//
// A simulated balancer would only repeat its author's reading of the manual. When a
// node is ejected and readmitted, which state a reload resets, and which lines are
// logged are properties of the product, so tests measure them on the product.
//
// The lab installs and downloads nothing, except socket.io's modules from npm. A test
// whose server is missing is skipped, and fails where CI is set: see [Require]. A
// server never outlives its test, even if the test is killed: see [Process].
package lab
