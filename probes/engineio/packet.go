package engineio

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// A revision is the protocol's, as the EIO parameter names it. They differ in
// how packets are put into one body, and in who pings.
type revision string

const (
	eio3 revision = "3" // Socket.IO 1 and 2: "2:40", the length in characters; the client pings
	eio4 revision = "4" // Socket.IO 3 and 4: packets separated by 0x1e; the server pings
)

const separator = "\x1e"

// The packets of Engine.IO, by their first character, with those of Socket.IO
// in a message.
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

// revisionOf tells by its first character how body was put together.
func revisionOf(body string) revision {
	if strings.HasPrefix(body, packetOpen) {
		return eio4
	}
	return eio3
}

// encode puts packets into one body.
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

// decode takes the packets out of body, up to the first thing that is none.
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

// cut splits the first packet off body; "" when there is none.
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

// offset is the byte at which the first n characters of s end, and whether s
// has as many. They are counted as JavaScript does, in UTF-16 units.
func offset(s string, n int) (int, bool) {
	for i, r := range s {
		if n <= 0 {
			return i, n == 0
		}
		n -= utf16.RuneLen(r)
	}
	return len(s), n == 0
}

// An opening is what the server says of a new session.
type opening struct {
	SID      string   `json:"sid"`
	Upgrades []string `json:"upgrades"`
}

// maxSID bounds a session id, in bytes. The default ones have 20.
const maxSID = 256

// openingOf reads the open packet at the head of body.
func (r revision) openingOf(body string) (opening, bool) {
	packets := r.decode(body)
	var o opening
	if len(packets) == 0 || !strings.HasPrefix(packets[0], packetOpen) {
		return o, false
	}
	err := json.Unmarshal([]byte(packets[0][1:]), &o)
	sound := o.SID != "" && len(o.SID) <= maxSID && !strings.ContainsFunc(o.SID, unicode.IsControl)
	return o, err == nil && sound
}

func (o opening) offersWebSocket() bool { return slices.Contains(o.Upgrades, "websocket") }

// A serverError is Engine.IO's own error, such as {"code":1,"message":"Session ID
// unknown"}.
type serverError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// The codes that mean something here.
const (
	codeUnknownTransport   = 0
	codeUnknownSession     = 1
	codeUnsupportedVersion = 5
)

// messages are Engine.IO's own, of all versions.
var messages = []string{
	"Session ID unknown", "Transport unknown", "Bad handshake method", "Bad request", "Forbidden", "Unsupported protocol version",
}

// serverErrorOf reads a refusal's body. A refused WebSocket has the message alone
// in it, and some servers a JSON string.
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

// Series returns the counter in a session id that Engine.IO's own generator
// made: the last 4 of its 20 characters. The id is 12 random bytes and a 3-byte
// number, in URL-safe base64, and each process numbers its sessions from zero
// ("AAAA"): ids that repeat a number, or go back, come from several processes.
// The counter holds none of the id's randomness. An id of another make has
// none: "".
func Series(sid string) string {
	const whole, counter = 20, 4
	if len(sid) != whole || strings.ContainsFunc(sid, outsideBase64) {
		return ""
	}
	return sid[whole-counter:]
}

// outsideBase64 reports whether URL-safe base64 lacks r.
func outsideBase64(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
