// Package daemon implements `stickwatch serve`: it runs watchers on a schedule and
// passes their results to history, metrics, receivers, and the status page.
//
//	schedule ─► watcher ─► reporter ─┬─► history (samples, moves, changes)
//	                                 ├─► metrics, page, log
//	                                 └─► incident service ─► write queue ─► history (incidents and notifications)
//	                                                                         └─► delivery manager ─► receivers
//
// No stage can block an earlier one: history and the write queue keep their input in
// memory and write it in their own time, and notifications are delivered from the
// disk.
package daemon
