// Package history is the daemon's memory on disk: what was measured, what was
// found, which incidents there were, and what remains to be told to whom.
//
// # Two ways in
//
// What a probe saw goes through [DB.Record], which never blocks: a bounded queue
// in memory, and one goroutine that commits it in batches. A slow or full disk
// delays no probe; the oldest samples give way, counted in [Stats]. What may be
// lost by a crash that way is what Record took within the last [Config].Flush.
//
// What must not be lost goes through [DB.Commit] and the methods of the outbox:
// one transaction, on the disk (fsync) before they return. An incident's change
// and the notices that tell it are in one transaction, so neither exists without
// the other.
//
// # One writer
//
// SQLite has one writer at a time, whatever a program does. So there is one
// connection that writes, and database/sql queues for it fairly; its transactions
// begin immediate, since a transaction that reads first and writes later fails
// with SQLITE_BUSY instead of waiting. They are small (see chunk), because
// Commit waits for the one under way. Reads use a pool of read-only connections,
// which WAL lets see a consistent past while the writer goes on.
//
// # Compact
//
// A table keyed (target, ts) WITHOUT ROWID is one b-tree in which a target's
// samples lie side by side: an hour of a target is a handful of pages, where
// keyed by (ts, target) it is the pages of all targets. A batch is sorted by
// target for the same reason. Samples are summed into minutes, minutes into
// hours, hours into days; each level is kept longer than the one below it. A
// bucket is a [bucket]: it can be added to its neighbour without loss, the
// longest outage included, so that what a query tells does not depend on the
// level that it reads.
//
// Deleting and summing go target by target, a small range a transaction, and
// pages come back to the file system by incremental vacuum, a few at a time.
// There is never a full VACUUM while the daemon runs.
//
// # Another engine
//
// Statements are in statements.go, in the SQL that PostgreSQL has as well (upserts,
// RETURNING, claims by lease instead of by process); what only SQLite has is in
// sqlite.go and in the migrations. Times are integers: milliseconds since 1970 UTC.
package history
