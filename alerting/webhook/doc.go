// Package webhook sends notifications to an HTTP endpoint: each one is a POST of
// JSON or of the output of a template.
//
// # Body
//
// The body is a document of schema 1. Later versions may add members and remove none:
//
//	{
//	  "schema": 1,
//	  "id": "20260301T120000-5f2c/ops/1",   the same for every attempt
//	  "kind": "fired",                      fired, developed, reminder, resolved or deployment
//	  "receiver": "ops",
//	  "at": "2026-03-01T12:00:02Z",         times are RFC 3339 in UTC, or "" if unset
//	  "incident": {
//	    "id", "cluster", "clusters", "state", "severity", "code", "summary", "remedy",
//	    "started", "fired", "ended", "duration_ms", "flapping", "merged_into",
//	    "affected": {"share", "of"},        of clients; omitted without an estimate
//	    "acknowledged": {"at", "author", "note"}, omitted while nobody takes care of it
//	    "findings": [{"cluster", "code", "severity", "node", "nodes", "dependency", "target", "summary",
//	                  "remedy", "evidence", "key", "explained_by", "affected", "since", "ended"}],
//	    "findings_omitted": 0               the number beyond the first 50
//	  },
//	  "deployment": null,                   of kind deployment: {"id", "cluster", "name", "from", "to", "nodes",
//	                                        "sessions_moved", "sessions_lost", "longest_outage_ms", "active": findings}
//	  "news": [{"at", "kind", "cluster", "finding", "text", "reason"}],
//	  "message": {"headline", "text", "links": [{"text", "url"}]}
//	}
//
// A document of kind deployment is the summary of an announced deployment, sent once;
// its incident has the cluster and the time, and one finding without a code: the
// summary. The members of incident and news are those of /api/v1/incidents. The
// message has the same information as text in the configured language.
//
// # Signature
//
// With a secret, the header X-Stickwatch-Signature is "sha256=" and, in
// hexadecimal, the HMAC-SHA256 under the secret of the header
// X-Stickwatch-Timestamp (seconds since 1970), a dot, and the body. Receivers
// should also refuse timestamps that are older than a few minutes.
//
// # Duplicates
//
// A document is sent at least once, because a response may be lost. The header
// Idempotency-Key is the ID of the document, by which receivers can detect
// duplicates. Any status from 200 to 299 means success.
package webhook
