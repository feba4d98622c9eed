package fleet

import (
	"bytes"
	"testing"
)

// TestKeys: what is encrypted for a cluster and an epoch is decrypted for these only, and with each of
// the keys of a rotation.
func TestKeys(t *testing.T) {
	old, young := [KeySize]byte{1}, [KeySize]byte{2}
	keys := NewKeys
	text := []byte("JSESSIONID=secret")
	encrypted := keys(old, young).Encrypt("shop", 7, text)
	if bytes.Contains(encrypted, []byte("secret")) {
		t.Error("the text is in clear")
	}
	if again := keys(old).Encrypt("shop", 7, text); bytes.Equal(again, encrypted) {
		t.Error("the same text is encrypted to the same bytes")
	}
	for name, k := range map[string]*Keys{"the same key": keys(old), "the older of two": keys(young, old)} {
		if got, err := k.Decrypt("shop", 7, encrypted); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	changed := bytes.Clone(encrypted)
	changed[len(changed)/2] ^= 1
	for name, decrypt := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return keys(young).Decrypt("shop", 7, encrypted) },
		"another cluster": func() ([]byte, error) { return keys(old).Decrypt("shop2", 7, encrypted) },
		"another epoch":   func() ([]byte, error) { return keys(old).Decrypt("shop", 8, encrypted) },
		"truncated":       func() ([]byte, error) { return keys(old).Decrypt("shop", 7, encrypted[:20]) },
		"empty":           func() ([]byte, error) { return keys(old).Decrypt("shop", 7, nil) },
		"changed":         func() ([]byte, error) { return keys(old).Decrypt("shop", 7, changed) },
	} {
		if got, err := decrypt(); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
