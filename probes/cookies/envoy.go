package cookies

import (
	"encoding/base64"
	"net/netip"
)

// envoy reads the cookie of Envoy's stateful sessions: base64 of "ip:port", or
// since expiry is kept in it, of a protobuf message with that text as its field
// 1, which is always written first.
func envoy(value string) (netip.AddrPort, bool) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(raw) < 2 {
		return netip.AddrPort{}, false
	}
	if raw[0] == protoAddress {
		length := int(raw[1])
		if length > len(raw)-2 || length > maxAddress {
			return netip.AddrPort{}, false
		}
		raw = raw[2 : 2+length]
	}
	a, ok := addrPort(string(raw))
	return a, ok && a.Port() != 0
}

const (
	protoAddress = 1<<3 | 2 // field 1, of a length
	maxAddress   = 127      // of such a text; what is longer would need a second byte of length
)
