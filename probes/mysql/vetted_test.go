package mysql

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
)

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
		if got := soundGreeting([]byte(tc.body)); got != tc.want {
			t.Errorf("%s: got %t, want %t", name, got, tc.want)
		}
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
		if got := soundReply([]byte(tc.body)); got != tc.want {
			t.Errorf("%s: got %t, want %t", name, got, tc.want)
		}
	}
}

func rsaKey(t *testing.T) string { return rsaKeyOf(t, 2048) }

// rsaKeyOf is a key of so many bits, which nobody has the private key of.
func rsaKeyOf(t *testing.T, bits int) string {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return encoded(t, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
}

func ellipticKey(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, &key.PublicKey)
}

func encoded(t *testing.T, key any) string {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
