package probes

import (
	"crypto/sha256"
	"encoding/hex"
)

// A Fingerprint stands for a session id wherever one would be shown or kept:
// "s:" and 8 hex digits. Session ids are credentials.
type Fingerprint string

// FingerprintOf a session id; "" for "".
func FingerprintOf(id string) Fingerprint {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return Fingerprint("s:" + hex.EncodeToString(sum[:4]))
}
