package fleet

import (
	"bytes"
	"testing"
)

// TestKeys: what is encrypted for a cluster, an epoch and settings is decrypted for these only, and with each of
// the keys of a rotation.
func TestKeys(t *testing.T) {
	old, young := [KeySize]byte{1}, [KeySize]byte{2}
	keys := NewKeys
	from := Origin{Cluster: "shop", Epoch: 7, Settings: "1a"}
	text := []byte("JSESSIONID=secret")
	encrypted := keys(old, young).Encrypt(from, text)
	if bytes.Contains(encrypted, []byte("secret")) {
		t.Error("the text is in clear")
	}
	if again := keys(old).Encrypt(from, text); bytes.Equal(again, encrypted) {
		t.Error("the same text is encrypted to the same bytes")
	}
	for name, k := range map[string]*Keys{"the same key": keys(old), "the older of two": keys(young, old)} {
		if got, err := k.Decrypt(from, encrypted); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	changed := bytes.Clone(encrypted)
	changed[len(changed)/2] ^= 1
	for name, decrypt := range map[string]func() ([]byte, error){
		"another key": func() ([]byte, error) { return keys(young).Decrypt(from, encrypted) },
		"another cluster": func() ([]byte, error) {
			return keys(old).Decrypt(Origin{Cluster: "shop2", Epoch: 7, Settings: "1a"}, encrypted)
		},
		"another epoch": func() ([]byte, error) {
			return keys(old).Decrypt(Origin{Cluster: "shop", Epoch: 8, Settings: "1a"}, encrypted)
		},
		"other settings": func() ([]byte, error) {
			return keys(old).Decrypt(Origin{Cluster: "shop", Epoch: 7, Settings: "1b"}, encrypted)
		},
		"truncated": func() ([]byte, error) { return keys(old).Decrypt(from, encrypted[:20]) },
		"empty":     func() ([]byte, error) { return keys(old).Decrypt(from, nil) },
		"changed":   func() ([]byte, error) { return keys(old).Decrypt(from, changed) },
	} {
		if got, err := decrypt(); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
