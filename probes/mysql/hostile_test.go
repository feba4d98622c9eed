package mysql

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/probes/internal/readlimit/readlimittest"
	"stickwatch/probes/internal/tcptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostile(t *testing.T) { readlimittest.TestHostile(t, "mysql", Ping) }

// TestAnnouncements has a server that announces more than it sends, or sends without
// end.
func TestAnnouncements(t *testing.T) {
	repeat := func(body string, n int) string {
		var b strings.Builder
		for i := range n {
			b.Write(packet(byte(2+i), body))
		}
		return b.String()
	}
	hugeKey := "\x01" + rsaKeyOf(t, 16384)
	for name, reply := range map[string]string{
		"length":             "\xff\xff\xff\x02",
		"length of 60000":    "\x60\xea\x00\x02\x00",
		"empty":              repeat("", 10000),
		"OK":                 repeat(ok, 5000),
		"switches":           repeat("\xfemysql_native_password\x00saltsaltsaltsaltsalt\x00", 1200),
		"more":               repeat("\x01\x03", 10000),
		"full login":         repeat("\x01\x04", 10000),
		"huge key":           repeat("\xfecaching_sha2_password\x00saltsaltsaltsaltsalt\x00", 1) + string(packet(4, "\x01\x04")) + string(packet(6, hugeKey)),
		"reads a local file": repeat("\xfb/etc/passwd", 1),
	} {
		t.Run(name, func(t *testing.T) {
			for _, login := range []bool{true, false} {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				address := tcptest.Serve(t, func(conn net.Conn) {
					conn.Write(packet(0, greeting))
					if login {
						next(conn)
						conn.Write(packet(2, ok))
						next(conn)
					}
					conn.Write([]byte(reply))
					readlimittest.Hang(conn)
				})
				err := readlimittest.CheckMemory(t, func() error { return Ping(ctx, readlimittest.URL("mysql", address)) })
				if err != nil {
					readlimittest.CheckError(t, err)
				} else if name != "OK" { // more than expected is harmless
					t.Error("got no error")
				}
			}
		})
	}
}

func TestSoundGreeting(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want bool
	}{
		"whole":            {greeting, true},
		"without a plugin": {greeting[:len(greeting)-len("mysql_native_password\x00")], true},
		"cut in the salt":  {greeting[:len(greeting)-len("mysql_native_password\x00")-1], false},
		"version only":     {"\x0a10.11.19\x00", false},
		"no end":           {"\x0a10.11.19", false},
		"older protocol":   {"\x09" + greeting[1:], false},
		"error":            {"\xff\x10\x04Too many connections", true},
		"error cut":        {"\xff\x10", false},
	} {
		expect.Equal(t, name, tc.want, validGreeting([]byte(tc.body)))
	}
}

func TestSoundReply(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want bool
	}{
		"OK":                  {ok, true},
		"OK, long integers":   {"\x00\xfc\x01\x00\xfe\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00", true},
		"OK cut":              {"\x00\x00\x00", false},
		"OK, integer cut":     {"\x00\xfe\x01", false},
		"OK, nothing":         {"\x00", false},
		"error state cut":     {"\xff\x10\x04#2800", false},
		"switch":              {"\xfemysql_native_password\x00saltsaltsaltsaltsalt\x00", true},
		"switch, short salt":  {"\xfemysql_native_password\x00salt", false},
		"switch, no name end": {"\xfemysql_native_password", false},
		"switch, old":         {"\xfe", true},
		"flag":                {"\x01\x03", true},
		"no flag":             {"\x01", false},
		"RSA key":             {"\x01" + rsaKey(t), true},
		"huge key":            {"\x01" + rsaKeyOf(t, 16384), false},
		"elliptic key":        {"\x01" + ellipticKey(t), false},
		"rows":                {"\x02rows", false},
	} {
		expect.Equal(t, name, tc.want, validReply([]byte(tc.body)))
	}
}

func rsaKey(t *testing.T) string { return rsaKeyOf(t, 2048) }

// rsaKeyOf returns a public key of that many bits, without a private key.
func rsaKeyOf(t *testing.T, bits int) string {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return encoded(t, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
}

func ellipticKey(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must.Succeed(t, err)
	return encoded(t, &key.PublicKey)
}

func encoded(t *testing.T, key any) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	must.Succeed(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
