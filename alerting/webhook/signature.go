package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"
)

// sign says by whom and when a body was sent. The time is part of what is
// signed: what somebody has overheard is not good for ever.
func sign(h http.Header, key []byte, at time.Time, body []byte) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	h.Set("X-Stickwatch-Timestamp", timestamp)
	h.Set("X-Stickwatch-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}
