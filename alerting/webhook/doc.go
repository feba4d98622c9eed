// Package webhook tells an HTTP address of incidents: each notice is a POST of
// JSON, or of what a template makes of it.
//
// # What is sent
//
// A document of schema 1; it may gain members, and loses none:
//
//	{
//	  "schema": 1,
//	  "id": "20260301T120000-5f2c/ops/1",   the same however often it is sent
//	  "kind": "fired",                      fired, developed, reminder, resolved or deployment
//	  "receiver": "ops",
//	  "at": "2026-03-01T12:00:02Z",         times are RFC 3339 in UTC, "": not yet
//	  "incident": {
//	    "id", "cluster", "clusters", "state", "severity", "code", "summary", "remedy",
//	    "started", "fired", "ended", "duration_ms", "flapping", "merged_into",
//	    "affected": {"share", "of"},        of clients; left out where it is not estimated
//	    "findings": [{"cluster", "code", "severity", "node", "nodes", "dependency", "target", "summary",
//	                  "remedy", "evidence", "key", "explained_by", "affected", "since", "ended"}],
//	    "findings_omitted": 0               how many are beyond the first 50
//	  },
//	  "deployment": null,                   of kind deployment: {"id", "cluster", "name", "from", "to", "nodes",
//	                                        "sessions_moved", "sessions_lost", "longest_outage_ms", "active": findings}
//	  "news": [{"at", "kind", "cluster", "finding", "text", "reason"}],
//	  "message": {"headline", "text", "links": [{"text", "url"}]}
//	}
//
// A document of kind deployment sums an announced deployment up, once; its incident
// names the cluster and the time, and has one finding without a code: the summary. The members of incident and news are those of /api/v1/incidents. The message
// says the same in words, in the language of the configuration.
//
// # Who sent it
//
// With a secret, the header X-Stickwatch-Signature is "sha256=" and, in
// hexadecimal, the HMAC-SHA256 under the secret of the header
// X-Stickwatch-Timestamp (seconds since 1970), a dot, and the body. Who checks it
// should also refuse timestamps of more than some minutes ago.
//
// # How often it is sent
//
// At least once: an answer may be lost. The header Idempotency-Key is the
// document's id, by which the second of two can be known. Any status from 200 to
// 299 takes it.
package webhook
