package mysql

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"

	"stickwatch/probes/internal/readlimit"
)

// A checkedConn connection reads packets ahead of the driver, which indexes them
// without looking at their length: a short one would be a panic, and would
// leave the driver's watcher goroutine behind for ever. What is inside TLS
// cannot be vetted.
type checkedConn struct {
	net.Conn
	encrypts bool // goes over to TLS after the greeting
	greeted  bool
	unsound  bool   // a packet did not pass
	packet   []byte // what is left of one that did
}

var errUnsound = errors.New("the server does not speak MySQL")

func (v *checkedConn) Read(p []byte) (int, error) {
	if len(v.packet) == 0 {
		if v.greeted && v.encrypts {
			return v.Conn.Read(p)
		}
		if err := v.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, v.packet)
	v.packet = v.packet[n:]
	return n, nil
}

// next reads a packet: three bytes of length, one of sequence, the body.
func (v *checkedConn) next() error {
	var head [4]byte
	if _, err := io.ReadFull(v.Conn, head[:]); err != nil {
		return err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length == 0 || length > readlimit.Budget {
		v.unsound = true
		return errUnsound
	}
	packet := make([]byte, len(head)+length)
	copy(packet, head[:])
	body := packet[len(head):]
	if _, err := io.ReadFull(v.Conn, body); err != nil {
		return err
	}
	sound := soundReply
	if !v.greeted {
		sound = soundGreeting
	}
	if !sound(body) {
		v.unsound = true
		return errUnsound
	}
	v.greeted, v.packet = true, packet
	return nil
}

// soundGreeting reports whether body is an error or a whole Protocol::HandshakeV10:
// version, server version ended by NUL, then 44 bytes or more.
func soundGreeting(body []byte) bool {
	if body[0] == 0xff {
		return soundReply(body)
	}
	const (
		connection = 4
		salt       = 8 + 1
		flags      = 2 + 1 + 2 + 2
		reserved   = 1 + 10
		moreSalt   = 13
	)
	end := bytes.IndexByte(body, 0)
	return body[0] == 10 && end > 0 && len(body) >= end+1+connection+salt+flags+reserved+moreSalt
}

// soundReply reports whether body is whole for what its first byte says it is.
func soundReply(body []byte) bool {
	switch body[0] {
	case 0x00: // OK: two length-encoded integers, status, warnings
		return len(body) >= 1+9+9+4 || soundOK(body[1:])
	case 0xff: // error: number, and with a '#' the SQL state
		return len(body) >= 4 && (body[3] != '#' || len(body) >= 9)
	case 0xfe: // switch to another authentication: its name, NUL, 20 bytes for mysql_native_password
		name, salt, named := bytes.Cut(body[1:], []byte{0})
		return len(body) == 1 || named && (string(name) != "mysql_native_password" || len(salt) >= 20)
	case 0x01: // more of the authentication: a flag, or a public key
		return len(body) > 1 && soundKey(body[1:])
	default:
		return false
	}
}

func soundOK(rest []byte) bool {
	for range 2 {
		n := 1
		if len(rest) > 0 {
			n += map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[rest[0]]
		}
		if len(rest) < n {
			return false
		}
		rest = rest[n:]
	}
	return len(rest) >= 2
}

// soundKey reports whether data is no public key, or one the driver can use: it
// takes any for RSA.
func soundKey(data []byte) bool {
	block, _ := pem.Decode(data)
	if block == nil {
		return true
	}
	const maxBits = 8192 // as crypto/tls; the driver encrypts with it in time that grows with the square
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := key.(*rsa.PublicKey)
	return err != nil || ok && public.N.BitLen() <= maxBits
}
