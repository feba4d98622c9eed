package cookies

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// bigIP reads the four formats of F5's article K6917:
//
//	1677787402.36895.0000                        IPv4: bytes of address and port reversed
//	vi20010112000000000000000000000030.20480     IPv6: the port's bytes reversed
//	rd5o00000000000000000000ffffc0000201o80      IPv4 in route domain 5: not reversed
//	rd3o20010112000000000000000000000030o80      IPv6 in a route domain
//
// Encrypted cookies, which start with "!", have no address.
func bigIP(value string) (netip.AddrPort, bool) {
	var addr netip.Addr
	var port uint16
	var ok bool
	switch {
	case strings.HasPrefix(value, "vi"):
		host, number, _ := strings.Cut(value[2:], ".")
		addr, ok = hexAddr(host)
		port = reversedPort(strings.TrimSuffix(number, ".0000"))
	case strings.HasPrefix(value, "rd"):
		_, member, _ := strings.Cut(value, "o")
		host, number, _ := strings.Cut(member, "o")
		addr, ok = hexAddr(host)
		port = portNumber(number)
	default:
		host, rest, _ := strings.Cut(value, ".")
		number, reserved, _ := strings.Cut(rest, ".")
		addr, ok = reversedIPv4(host)
		ok = ok && reserved == "0000"
		port = reversedPort(number)
	}
	if !ok || port == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, port), true
}

func reversedIPv4(text string) (netip.Addr, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return netip.Addr{}, false
	}
	var raw [4]byte
	binary.LittleEndian.PutUint32(raw[:], uint32(n))
	return netip.AddrFrom4(raw), true
}

func hexAddr(text string) (netip.Addr, bool) {
	var raw [16]byte
	if len(text) != 2*len(raw) {
		return netip.Addr{}, false
	}
	if _, err := hex.Decode(raw[:], []byte(text)); err != nil {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16(raw).Unmap(), true
}

// portNumber returns 0 if text is no port.
func portNumber(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

func reversedPort(text string) uint16 { return bits.ReverseBytes16(portNumber(text)) }

// envoy reads the cookie of Envoy's stateful sessions: base64 of "ip:port", or, in
// versions that store an expiry, of a protobuf message with that text as field 1, which
// is always first.
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
	protoAddress = 1<<3 | 2 // field 1, length-delimited
	maxAddress   = 127      // a longer text would need a second byte of length
)
