// Package daemon is what `stickwatch serve` runs: watchers that look at clusters
// on a schedule, and the ways that what they see takes to history, metrics,
// receivers and the page.
//
//	schedule ─► watcher ─► reporter ─┬─► history (samples, moves, changes)
//	                                 ├─► metrics, page, log
//	                                 └─► registry ─► history (incidents and notices, together)
//	                                                    └─► postroom ─► receivers
//
// Nothing on the right can hold up what is left of it: history's queue and the
// registry take what they are given and go to the disk in their own time, and
// receivers are served from the disk.
package daemon
