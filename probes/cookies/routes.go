package cookies

import (
	"encoding/base64"
	"strings"
)

// routed cuts the route off a session id as httpd, Tomcat and mod_jk do: it is
// all that follows the first dot.
func routed(value string) (route string, ok bool) {
	_, route, ok = strings.Cut(value, ".")
	return route, ok && route != ""
}

// springID is the session id in a cookie of Spring Session, which is base64 of
// a UUID and maybe a route.
func springID(value string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(raw) < uuidLength || !isUUID(string(raw[:uuidLength])) {
		return "", false
	}
	if len(raw) > uuidLength && raw[uuidLength] != '.' {
		return "", false
	}
	return string(raw), true
}

const uuidLength = 36

func isUUID(text string) bool {
	for i, c := range []byte(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}
