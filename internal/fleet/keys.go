package fleet

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// Keys encrypt the canaries of clusters for the other instances, with AES-256-GCM.
type Keys struct{ all []cipher.AEAD }

// NewKeys returns keys: the first one encrypts, and each decrypts.
func NewKeys(first [KeySize]byte, older ...[KeySize]byte) *Keys {
	k := new(Keys)
	for _, key := range append([][KeySize]byte{first}, older...) {
		block, err := aes.NewCipher(key[:])
		if err != nil {
			panic(err) // only for a key of another size
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(err) // only for a cipher other than AES
		}
		k.all = append(k.all, aead)
	}
	return k
}

// An Origin is what encrypted canaries are bound to: they cannot be used for another cluster, after a
// takeover that they have not seen, or with other settings, which read their sessions differently.
type Origin struct {
	Cluster  string
	Epoch    int64  // of the lease of the instance that encrypts
	Settings string // digest of the cluster's configuration
}

// Encrypt encrypts what an instance stores of a cluster.
func (k *Keys) Encrypt(from Origin, text []byte) []byte {
	return k.all[0].Seal(nil, nil, text, from.data())
}

var errDecrypting = errors.New("decrypting: another key, other settings of the cluster, or not what an instance has written for it in this epoch")

// Decrypt returns the text that Encrypt got for the same origin.
func (k *Keys) Decrypt(from Origin, encrypted []byte) ([]byte, error) {
	for _, key := range k.all {
		if text, err := key.Open(nil, nil, encrypted, from.data()); err == nil {
			return text, nil
		}
	}
	return nil, errDecrypting
}

// data is the additional data. The name is quoted, because it may contain spaces.
func (o Origin) data() []byte {
	return fmt.Appendf(nil, "stickwatch canaries 1 %d %q %s", o.Epoch, o.Cluster, o.Settings)
}
