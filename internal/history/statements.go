package history

import (
	"fmt"
	"strings"
)

// This file contains the statements of both engines. Placeholders are those of SQLite; see
// numbered for PostgreSQL.

const selectVersion = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`

// Recovery of a damaged file of SQLite.
const (
	countBroken = `SELECT (SELECT COUNT(*) FROM incidents WHERE NOT json_valid(body)) +
	(SELECT COUNT(*) FROM notices WHERE state IN ('pending', 'dead') AND NOT json_valid(body))`
	selectRecentIncidents      = `SELECT body FROM incidents WHERE state = 'resolved' AND ended >= ?`
	selectPendingNotifications = `SELECT body FROM notices WHERE state = 'pending'`
	countTables                = `SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('incidents', 'notices')`
	selectTargetIDs            = `SELECT id FROM targets ORDER BY id`
	fillClusters               = `INSERT OR IGNORE INTO incident_clusters SELECT id, cluster FROM incidents WHERE cluster <> ''
	UNION SELECT i.id, c.value FROM incidents i, json_each(i.body, '$.Clusters') c`
)

// Targets and measurements.
const (
	targetColumns = `id, cluster, kind, name,
	samples_since, minutes_since, hours_since, days_since, minutes_until, hours_until, days_until`

	selectTargets          = `SELECT ` + targetColumns + ` FROM targets ORDER BY id`
	selectTargetsOfKind    = `SELECT ` + targetColumns + ` FROM targets WHERE kind = ? ORDER BY id`
	selectTargetsOfCluster = `SELECT ` + targetColumns + ` FROM targets WHERE cluster = ? ORDER BY kind, name`
	selectClusters         = `SELECT cluster FROM targets UNION SELECT cluster FROM standing UNION SELECT cluster FROM deployments ORDER BY cluster`

	// insertTarget inserts a target, or finds the one that a commit wrote whose answer was lost.
	insertTarget = `INSERT INTO targets (cluster, kind, name,
	samples_since, minutes_since, hours_since, days_since, minutes_until, hours_until, days_until)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (cluster, kind, name) DO UPDATE SET name = excluded.name RETURNING ` + targetColumns
	updateTarget = `UPDATE targets SET
	samples_since = ?, minutes_since = ?, hours_since = ?, days_since = ?, minutes_until = ?, hours_until = ?, days_until = ?
	WHERE id = ?`

	insertSample = `INSERT INTO samples (target, ts, latency, outcome) VALUES (?, ?, ?, ?)
	ON CONFLICT (target, ts) DO NOTHING`
)

const selectOfTargets = `SELECT target, %s FROM %s WHERE ts >= ? AND ts < ? AND target IN (%%s) ORDER BY target, ts`

// Statements for each level.
var (
	// selectBuckets has a placeholder for the list of targets. Parameters: from, to, targets.
	selectBuckets = forLevels(func(table, columns string) string {
		return fmt.Sprintf(selectOfTargets, strings.TrimSuffix(columns, ", latencies"), table)
	})
	// selectSums adds up the buckets of each width, which is the second placeholder, in buckets. It is unused for
	// samples.
	selectSums = forLevels(func(table, _ string) string {
		return `SELECT target, MIN(ts), CAST(SUM(probes) AS BIGINT), CAST(SUM(failed) AS BIGINT), CAST(SUM(unanswered) AS BIGINT),
	CAST(SUM(latency) AS BIGINT), MAX(slowest) FROM ` + table + ` WHERE ts >= ? AND ts < ? AND target IN (%s) GROUP BY target, ts / %d ORDER BY target, 2`
	})
	// selectLatencies has the same placeholder and parameters as selectBuckets.
	selectLatencies = [levels]string{
		fmt.Sprintf(selectOfTargets, `ts, latency, outcome`, `samples`),
		fmt.Sprintf(selectOfTargets, `ts, probes - unanswered, NULL`, `minutes`),
		fmt.Sprintf(selectOfTargets, `ts, probes - unanswered, latencies`, `hours`),
		fmt.Sprintf(selectOfTargets, `ts, probes - unanswered, latencies`, `days`),
	}
	// selectPage selects the rows of a target from a bucket on. Parameters: target, from, limit.
	selectPage = forLevels(func(table, columns string) string {
		return fmt.Sprintf(`SELECT %s FROM %s WHERE target = ? AND ts >= ? ORDER BY ts LIMIT ?`, columns, table)
	})
	selectOldest = forLevels(func(table, _ string) string { // parameters: target, from
		return fmt.Sprintf(`SELECT ts FROM %s WHERE target = ? AND ts >= ? ORDER BY ts LIMIT 1`, table)
	})
	deleteBuckets = forLevels(func(table, _ string) string { // parameters: target, to
		return fmt.Sprintf(`DELETE FROM %s WHERE target = ? AND ts < ?`, table)
	})
	upsertBucket = forLevels(func(table, columns string) string { // unused for samples
		return eventTable{name: table, keys: []string{"target", "ts"}, columns: strings.Split(columns, ", ")[1:]}.upsert("")
	})
)

// forLevels returns a statement for the table of each level.
func forLevels(statement func(table, columns string) string) (all [levels]string) {
	for l, table := range tables {
		all[l] = statement(table, strings.Join(level(l).columns(), ", "))
	}
	return all
}

// columns returns the columns of the table of a level, besides the target.
func (l level) columns() []string {
	if l == samples {
		return []string{"ts", "latency", "outcome"}
	}
	sums := []string{"ts", "probes", "failed", "unanswered", "latency", "slowest", "recovered", "longest", "broken", "last"}
	if l == minutes {
		return sums
	}
	return append(sums, "latencies")
}

// Events.
const (
	insertMove = `INSERT INTO moves (cluster, at, origin, dest, kept, session, cause, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	// selectMoves selects moves, newest first. See ofCluster.
	selectMoves = `SELECT cluster, at, origin, dest, kept, session, cause, message FROM moves
	WHERE %s AND at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?`

	// countMoves counts the moved and the lost sessions of a cluster. Sessions without an id
	// count by row.
	countMoves = `SELECT COUNT(DISTINCT who), COUNT(DISTINCT CASE WHEN kept = 0 THEN who END) FROM
	(SELECT kept, CASE WHEN session = '' THEN CAST(id AS TEXT) ELSE session END AS who FROM moves
	WHERE cluster = ? AND at >= ? AND at < ?) AS sessions`

	insertChange  = `INSERT INTO changes (cluster, at, body) VALUES (?, ?, ?)`
	selectChanges = `SELECT cluster, body FROM changes
	WHERE %s AND at >= ? AND at < ? ORDER BY at DESC, id DESC LIMIT ?`

	upsertPlacement = `INSERT INTO placements (cluster, balancer, owner, since, until, node, outcome) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (cluster, balancer, owner, since) DO UPDATE SET until = excluded.until, node = excluded.node, outcome = excluded.outcome`
	// countLostInPlace counts the times at which the canaries of a node lost their sessions there, such as by its
	// restart. It is less than the number of sessions: canaries that lose theirs one after the other are one placement.
	countLostInPlace = `SELECT COUNT(*) FROM placements WHERE cluster = ? AND until >= ? AND since >= ? AND since < ? AND node = owner AND outcome IN ('lost', 'stale', 'foreign')`
	// selectPlacements selects the newest placements of a cluster that overlap a span.
	selectPlacements = `SELECT cluster, balancer, owner, since, until, node, outcome FROM placements
	WHERE cluster = ? AND until >= ? AND since < ? ORDER BY until DESC LIMIT ?`

	insertDeployment  = `INSERT INTO deployments (cluster, name, started, nodes) VALUES (?, ?, ?, ?) RETURNING id`
	updateDeployment  = `UPDATE deployments SET ended = ?, watched = ? WHERE id = ? AND ended IS NULL`
	observeDeployment = `UPDATE deployments SET touched = ?, lost = ?, last_lost = ?, summed = ? WHERE id = ?`
	selectAnnounced   = `SELECT id, cluster, name, started, ended, nodes, touched, lost, last_lost, watched, summed FROM deployments
	WHERE summed IS NULL OR summed > ? ORDER BY id`
	expireDeployments = `UPDATE deployments SET ended = started + ? WHERE ended IS NULL AND started <= ?`
	// selectDeployments selects deployments that overlap a span. See ofCluster.
	selectDeployments = `SELECT cluster, name, started, ended, nodes FROM deployments
	WHERE %s AND started < ? AND (ended IS NULL OR ended >= ?) ORDER BY started, id`
)

// Incidents and the outbox.
const (
	upsertIncident = `INSERT INTO incidents (id, cluster, state, started, fired, ended, body) VALUES (?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT (id) DO UPDATE SET cluster = excluded.cluster, state = excluded.state, started = excluded.started,
	fired = excluded.fired, ended = excluded.ended, body = excluded.body`
	insertCluster       = `INSERT INTO incident_clusters (incident, cluster) VALUES (?, ?) ON CONFLICT (incident, cluster) DO NOTHING`
	selectIncident      = `SELECT body FROM incidents WHERE id = ?`
	selectOpenIncidents = `SELECT body FROM incidents WHERE state <> 'resolved' ORDER BY started, id`
	// selectIncidents selects incidents that were open in a span, newest first. Its placeholder is for
	// further conditions.
	selectIncidents = `SELECT body FROM incidents WHERE started < ? AND (ended IS NULL OR ended >= ?) %s
	ORDER BY started DESC, id DESC LIMIT ?`
	incidentsOfState   = ` AND state = ?`
	openIncidentsOnly  = ` AND state <> 'resolved'` // a condition of their index, in these words
	incidentsOfCluster = ` AND id IN (SELECT incident FROM incident_clusters WHERE cluster = ?)`

	// insertNotification inserts a notification with the due time of the previous one of its
	// incident, or now. While a receiver is down, most notifications wait for a previous one;
	// none of them is read before that one is due.
	insertNotification = `INSERT INTO notices (id, receiver, incident, state, at, due, leased, attempts, reason, body)
	VALUES (?, ?, ?, 'pending', ?, COALESCE(
		(SELECT MAX(due) FROM notices WHERE receiver = ? AND incident = ? AND state = 'pending'), ?), 0, ?, '', ?)
	ON CONFLICT (id) DO NOTHING`
	// selectClaimable selects the unclaimed notification that has been due for the longest, so
	// that failing ones do not block others. It skips those with an earlier pending
	// notification of the same incident.
	selectClaimable = `SELECT n.seq FROM notices n
	WHERE n.state = 'pending' AND n.receiver = ? AND n.due <= ? AND n.leased <= ? AND NOT EXISTS (
		SELECT 1 FROM notices p WHERE p.state = 'pending' AND p.receiver = n.receiver AND p.incident = n.incident AND p.seq < n.seq)
	ORDER BY n.due, n.seq LIMIT 1`
	// claimNotification claims that notification. Its placeholder is the engine's rowLock.
	claimNotification = `UPDATE notices SET leased = ?, attempts = attempts + 1 WHERE seq = (` + selectClaimable + ` %s)
	RETURNING attempts, body`
	selectThread         = `SELECT thread FROM threads WHERE receiver = ? AND incident = ?`
	releaseNotifications = `UPDATE notices SET leased = ? WHERE state = 'pending' AND leased > ?`
	advanceNotifications = `UPDATE notices SET due = ? WHERE state = 'pending' AND due > ?`
	deliverNotification  = `UPDATE notices SET state = 'delivered', leased = 0, body = '' WHERE id = ? AND state <> 'delivered'
	RETURNING receiver, incident`
	upsertThread = `INSERT INTO threads (receiver, incident, thread, at) VALUES (?, ?, ?, ?)
	ON CONFLICT (receiver, incident) DO UPDATE SET thread = excluded.thread, at = excluded.at`
	retryNotification = `UPDATE notices SET due = ?, leased = 0, reason = ? WHERE id = ? AND state = 'pending'`
	// retryLater postpones the notifications that wait for the one that is retried.
	retryLater = `UPDATE notices SET due = ? WHERE state = 'pending' AND due < ?
	AND (receiver, incident) = (SELECT receiver, incident FROM notices WHERE id = ? AND state = 'pending')`
	markNotificationDead = `UPDATE notices SET state = 'dead', leased = 0, reason = ? WHERE id = ? AND state = 'pending'`
	// selectLastPending selects the last pending notification of the same incident and
	// receiver.
	selectLastPending = `SELECT l.seq, l.body FROM notices n
	JOIN notices l ON l.receiver = n.receiver AND l.incident = n.incident AND l.state = 'pending'
	WHERE n.id = ? AND n.state = 'pending' ORDER BY l.seq DESC LIMIT 1`
	skipNotifications = `UPDATE notices SET state = 'skipped', leased = 0, body = '' WHERE state = 'pending' AND seq < ?
	AND (receiver, incident) = (SELECT receiver, incident FROM notices WHERE id = ?)`
	// selectThreadState has two placeholders for parameter lists.
	selectThreadState = `SELECT incident, thread, FALSE FROM threads WHERE receiver = ? AND incident IN (%s)
	UNION ALL SELECT incident, '', TRUE FROM notices WHERE receiver = ? AND incident IN (%s) AND state = 'pending'`
	countPending = `SELECT receiver, COUNT(*) FROM notices WHERE state = 'pending' GROUP BY receiver`
	selectDead   = `SELECT attempts, reason, body FROM notices WHERE state = 'dead' ORDER BY seq DESC LIMIT ?`
)

// ofCluster returns a statement and its arguments for the rows of a cluster, or for those of all clusters
// for "". A condition that covers both would use no index.
func ofCluster(statement, cluster string, args ...any) (string, []any) {
	if cluster == "" {
		return fmt.Sprintf(statement, "TRUE"), args
	}
	return fmt.Sprintf(statement, "cluster = ?"), append([]any{cluster}, args...)
}

// Saved state.
const (
	upsertSilence = `INSERT INTO silences (id, starts, ends, body) VALUES (?, ?, ?, ?)
	ON CONFLICT (id) DO UPDATE SET starts = excluded.starts, ends = excluded.ends, body = excluded.body`
	selectSilence  = `SELECT body FROM silences WHERE id = ?`
	selectSilences = `SELECT body FROM silences WHERE ends > ? ORDER BY starts, id`

	upsertActiveFindings = `INSERT INTO standing (cluster, body) VALUES (?, ?)
	ON CONFLICT (cluster) DO UPDATE SET body = excluded.body`
	selectActiveFindings = `SELECT cluster, body FROM standing`

	upsertNodeList = `INSERT INTO node_lists (cluster, at, body) VALUES (?, ?, ?)
	ON CONFLICT (cluster) DO UPDATE SET at = excluded.at, body = excluded.body`
	selectNodeLists = `SELECT body FROM node_lists ORDER BY cluster`
	deleteNodeLists = `DELETE FROM node_lists WHERE at < ?`
	upsertCounter   = `INSERT INTO counters (name, value) VALUES (?, ?)
	ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	selectCounters = `SELECT name, value FROM counters`
	deleteCounter  = `DELETE FROM counters WHERE name = ?`
)

// deleteUnnotified deletes incidents that ended before a time without a notification.
const deleteUnnotified = `DELETE FROM incidents WHERE id IN (
	SELECT id FROM incidents WHERE fired IS NULL AND ended < ? AND state = 'resolved' LIMIT 100)`

// deleteExpired deletes rows that are older than a time, a bounded number in each statement.
// Open incidents and pending notifications are always kept.
var deleteExpired = []string{
	`DELETE FROM moves WHERE id IN (SELECT id FROM moves WHERE at < ? ORDER BY id LIMIT 500)`,
	`DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < ? ORDER BY id LIMIT 500)`,
	`DELETE FROM placements WHERE until < ?`,
	`DELETE FROM deployments WHERE id IN (SELECT id FROM deployments WHERE ended < ? LIMIT 500)`,
	`DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE state = 'resolved' AND started < ? LIMIT 100)`,
	`DELETE FROM notices WHERE seq IN (SELECT seq FROM notices WHERE state <> 'pending' AND at < ? ORDER BY seq LIMIT 500)`,
	`DELETE FROM threads WHERE at < ?`,
	`DELETE FROM silences WHERE ends < ?`,
}

// The fleet. Only PostgreSQL has it.
const (
	// databaseNow is the time of the database, which all instances share, in milliseconds.
	databaseNow = `(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint`
	isLive      = `EXISTS (SELECT FROM instances i WHERE i.name = %s AND i.expires > ` + databaseNow + `)`

	selectClock = `SELECT ` + databaseNow + `, (EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000)::bigint`
	// upsertInstance returns no row if another live process has the name, and otherwise whether this process
	// is new. A process whose session the server no longer has may be replaced: it was killed, or it lost its
	// connection and its writes are fenced. If the start of a session is hidden because another role owns it,
	// its PID decides.
	upsertInstance = `WITH sessions AS (SELECT pid || ' ' || extract(epoch FROM backend_start) AS session, pid FROM pg_stat_activity)
	INSERT INTO instances AS old (name, run, site, version, digest, able, ahead, started, seen, expires, session)
	SELECT ?, ?, ?, ?, ?, ?, ?, now, now, now + ?::bigint, COALESCE((SELECT session FROM sessions WHERE pid = pg_backend_pid()), '')
	FROM (SELECT ` + databaseNow + ` AS now) AS clock
	ON CONFLICT (name) DO UPDATE SET run = excluded.run, site = excluded.site, version = excluded.version, digest = excluded.digest,
	able = excluded.able, ahead = excluded.ahead, started = CASE WHEN old.run = excluded.run THEN old.started ELSE excluded.started END,
	draining = old.draining AND old.run = excluded.run, seen = excluded.seen, expires = excluded.expires, session = excluded.session
	WHERE old.run = excluded.run OR old.expires <= excluded.seen OR old.session <> '' AND NOT EXISTS (
		SELECT FROM sessions WHERE sessions.session = old.session OR sessions.session IS NULL AND sessions.pid::text = split_part(old.session, ' ', 1))
	RETURNING started = seen`
	selectInstances = `SELECT name, site, version, digest, able, draining, ahead, started, seen, expires FROM instances ORDER BY name`
	deleteInstance  = `DELETE FROM instances WHERE name = ? AND run = ?`
	drainInstance   = `UPDATE instances SET draining = ? WHERE name = ?`
	deleteDead      = `DELETE FROM instances WHERE expires < ?`
	// freeOrphans frees the leases of instances that are not listed any more.
	freeOrphans = `UPDATE leases SET owner = '', epoch = epoch + 1, since = ` + databaseNow + `
	WHERE owner <> '' AND NOT EXISTS (SELECT FROM instances WHERE name = owner)`

	selectLeases = `SELECT cluster, owner, epoch, since FROM leases ORDER BY cluster`
	lockLeases   = `SELECT cluster, epoch FROM leases WHERE cluster = ANY(?) ORDER BY cluster FOR SHARE`
	// insertUnwatched gives clusters that are in no configuration any more a free lease.
	insertUnwatched = `INSERT INTO leases (cluster, owner, epoch, since) SELECT DISTINCT cluster, '', 0, 0 FROM targets ON CONFLICT DO NOTHING`
	insertLeases    = `INSERT INTO leases (cluster, owner, epoch, since) SELECT cluster, '', 0, 0 FROM unnest(?::text[]) AS cluster ON CONFLICT DO NOTHING`
	freeLeases      = `UPDATE leases SET owner = '', since = ` + databaseNow + ` WHERE owner = ?`
	releaseLeases   = `UPDATE leases SET owner = '', since = ` + databaseNow + ` WHERE owner = ? AND cluster = ANY(?)`

	upsertSnapshot = `INSERT INTO snapshots (cluster, at, body) VALUES (?, ` + databaseNow + `, ?)
	ON CONFLICT (cluster) DO UPDATE SET at = excluded.at, body = excluded.body`
	selectNeeded = `SELECT COALESCE(MIN(samples_since), ?::bigint), COALESCE(MIN(minutes_since), ?::bigint) FROM targets`
	// selectSnapshots leaves those out that were read.
	selectSnapshots = `SELECT cluster, at, body FROM snapshots WHERE at >= ?
	AND NOT EXISTS (SELECT FROM unnest(?::text[], ?::bigint[]) AS known (cluster, at) WHERE known.cluster = snapshots.cluster AND known.at = snapshots.at)
	ORDER BY cluster`

	upsertCanaries = `INSERT INTO canaries (cluster, epoch, at, body)
	SELECT cluster, epoch, ` + databaseNow + `, body FROM unnest(?::text[], ?::bigint[], ?::bytea[]) AS rows (cluster, epoch, body)
	ON CONFLICT (cluster) DO UPDATE SET epoch = excluded.epoch, at = excluded.at, body = excluded.body`
	deleteCanaries = `DELETE FROM canaries WHERE cluster = ANY(?)`
	expireCanaries = `DELETE FROM canaries WHERE at < ` + databaseNow + ` - ?::bigint`
	// selectCanaries leaves the body of a row out that is too large.
	selectCanaries = `SELECT cluster, epoch, ` + databaseNow + ` - at, CASE WHEN octet_length(body) <= ? THEN body END
	FROM canaries WHERE cluster = ANY(?) ORDER BY cluster`

	lockClaim     = `SELECT seq FROM notices WHERE id = ? AND claimer = ? FOR UPDATE`
	setClaimer    = `UPDATE notices SET claimer = ? WHERE id = ?`
	freeOwnClaims = `UPDATE notices SET leased = ` + databaseNow + ` + ?::bigint
	WHERE state = 'pending' AND leased > ` + databaseNow + ` + ?::bigint AND claimer = ?`

	sendMessage = `SELECT pg_notify(?, json_build_object('kind', ?::text, 'from', ?::text, 'schema', current_schema())::text)`
)

var (
	// takeLeases skips the leases of an owner whose transaction has not ended.
	takeLeases = `WITH free AS (SELECT cluster FROM leases l WHERE cluster = ANY(?) AND NOT ` + fmt.Sprintf(isLive, "l.owner") + `
	ORDER BY cluster FOR UPDATE SKIP LOCKED)
	UPDATE leases SET owner = ?, epoch = epoch + 1, since = ` + databaseNow + ` FROM free WHERE leases.cluster = free.cluster
	RETURNING leases.cluster, leases.epoch`
	freeDeadClaims = `UPDATE notices n SET leased = ` + databaseNow + ` + ?::bigint
	WHERE state = 'pending' AND leased > ` + databaseNow + ` + ?::bigint AND claimer <> '' AND NOT ` + fmt.Sprintf(isLive, "n.claimer")
)
