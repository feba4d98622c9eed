// Package alerting is who is told of what, and when.
//
// Findings that have one cause are one [Incident], from first sight to
// recovery. A [Desk] decides: it is pure, takes the time as an argument, touches
// nothing, and names its reasons in the incident's timeline. What it decides is
// a [Step], which comes to the disk whole, notices included; only then is there
// anything to tell. So nobody is told of what is forgotten by a crash, and
// nothing that was decided is not told.
//
// A [Dispatcher] takes notices from there to their receivers, apart from all
// that probes and decides. Between posting a notice and writing down that it was
// posted the process may end; then a receiver that can be searched (a [Finder])
// is asked before the notice is posted again, and any other may get it twice. A
// message said twice is better than one that is lost.
package alerting
