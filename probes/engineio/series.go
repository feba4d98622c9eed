package engineio

import "strings"

// Series returns the counter in a session id that Engine.IO's own generator
// made: the last 4 of its 20 characters. The id is 12 random bytes and a 3-byte
// number, in URL-safe base64, and each process numbers its sessions from zero
// ("AAAA"): ids that repeat a number, or go back, come from several processes.
// The counter holds none of the id's randomness. An id of another make has
// none: "".
func Series(sid string) string {
	const whole, counter = 20, 4
	if len(sid) != whole || strings.ContainsFunc(sid, foreign) {
		return ""
	}
	return sid[whole-counter:]
}

// foreign reports whether URL-safe base64 lacks r.
func foreign(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
