// Package web is the daemon's HTTP: the status page, the API, and what
// Prometheus and operators ask a server for.
//
// # Read by anybody, changed by few
//
// Reading is open, as with the exporters beside which stickwatch runs; the web
// configuration of Prometheus's exporter-toolkit closes it, with TLS and
// passwords. What changes something (a silence, a probe now, a reload) needs more:
// the admin socket, a user, or a token; see access.
//
// # One page, two readers
//
// The page is whole without JavaScript: it refreshes itself, its buttons are
// forms, its charts are SVG that templates draw. The script, where it runs,
// listens to [Live], fetches the very same page again and takes over the parts
// that differ. There is no second rendering to keep equal to the first.
//
// # Fast by remembering
//
// A page of 200 nodes shows 200 strips of the past. What is past hardly
// changes, so it is read from the history once in [Config].Remember and shared
// by everybody who looks; what is present is never remembered.
//
// Whatever a target said was bounded where it was read. It is cut again here,
// to what a page has room for, and escaped by html/template and encoding/json;
// no markup is made any other way.
package web
