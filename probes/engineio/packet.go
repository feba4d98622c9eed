package engineio

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A revision is the version of the protocol in the EIO parameter. Revisions differ in
// how a body combines packets, and in which side pings.
type revision string

const (
	eio3 revision = "3" // Socket.IO 1 and 2: "2:40", with the length in characters; the client pings
	eio4 revision = "4" // Socket.IO 3 and 4: packets separated by 0x1e; the server pings
)

const separator = "\x1e"

// The packets of Engine.IO, by their first character, with those of Socket.IO in a
// message.
const (
	packetOpen       = "0"
	packetClose      = "1"
	packetPing       = "2"
	packetPingProbe  = "2probe"
	packetPongProbe  = "3probe"
	packetUpgrade    = "5"
	packetConnect    = "40"
	packetDisconnect = "41"
)

// maxPackets bounds how many packets of one body are read.
const maxPackets = 256

// revisionOf returns the revision of a body, according to its first character.
func revisionOf(body string) revision {
	if strings.HasPrefix(body, packetOpen) {
		return eio4
	}
	return eio3
}

// encode combines packets into one body.
func (r revision) encode(packets ...string) string {
	if r == eio4 {
		return strings.Join(packets, separator)
	}
	var b strings.Builder
	for _, p := range packets {
		b.WriteString(strconv.Itoa(len(utf16.Encode([]rune(p)))) + ":" + p)
	}
	return b.String()
}

// decode returns the packets in body, up to the first invalid one.
func (r revision) decode(body string) []string {
	var packets []string
	for body != "" && len(packets) < maxPackets {
		packet, rest := r.cut(body)
		if !isPacket(packet) {
			break
		}
		packets, body = append(packets, packet), rest
	}
	return packets
}

// cut splits the first packet off body; "" if there is none.
func (r revision) cut(body string) (packet, rest string) {
	if r == eio4 {
		packet, rest, _ = strings.Cut(body, separator)
		return packet, rest
	}
	length, rest, _ := strings.Cut(body, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 1 {
		return "", ""
	}
	end, ok := offset(rest, n)
	if !ok {
		return "", ""
	}
	return rest[:end], rest[end:]
}

// isPacket reports whether p starts with a packet type: 0 to 6, or b for binary.
func isPacket(p string) bool {
	return p != "" && (p[0] >= '0' && p[0] <= '6' || p[0] == 'b')
}

// offset returns the byte at which the first n characters of s end, and whether s has
// as many. Characters are counted as in JavaScript, in UTF-16 units.
func offset(s string, n int) (int, bool) {
	for i, r := range s {
		if n <= 0 {
			return i, n == 0
		}
		n -= utf16.RuneLen(r)
	}
	return len(s), n == 0
}

// An opening is the server's description of a new session.
type opening struct {
	SID      string   `json:"sid"`
	Upgrades []string `json:"upgrades"`
}

// maxSID bounds a session id, in bytes. The default ones have 20.
const maxSID = 256

// openingOf reads the open packet at the beginning of body.
func (r revision) openingOf(body string) (opening, bool) {
	packets := r.decode(body)
	var o opening
	if len(packets) == 0 || !strings.HasPrefix(packets[0], packetOpen) {
		return o, false
	}
	err := json.Unmarshal([]byte(packets[0][1:]), &o)
	valid := o.SID != "" && len(o.SID) <= maxSID && !strings.ContainsFunc(o.SID, unicode.IsControl)
	return o, err == nil && valid
}

func (o opening) offersWebSocket() bool { return slices.Contains(o.Upgrades, "websocket") }

// A serverError is Engine.IO's own error, such as {"code":1,"message":"Session ID
// unknown"}.
type serverError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The error codes that are used here.
const (
	codeUnknownTransport   = 0
	codeUnknownSession     = 1
	codeUnsupportedVersion = 5
)

// messages are the errors of all versions of Engine.IO.
var messages = []string{
	"Session ID unknown", "Transport unknown", "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version",
}

// serverErrorOf reads the body of a refusal. The body of a refused WebSocket is the
// message alone, and that of some servers is a JSON string.
func serverErrorOf(body string) serverError {
	c := serverError{Code: -1}
	if json.Unmarshal([]byte(body), &c) == nil && c.Message != "" {
		return c
	}
	c = serverError{Code: -1, Message: body}
	if strings.Contains(body, "Session ID unknown") {
		c.Code = codeUnknownSession
	}
	return c
}
