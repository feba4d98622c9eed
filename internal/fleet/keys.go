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

// Encrypt encrypts what an instance stores of a cluster in an epoch.
func (k *Keys) Encrypt(cluster string, epoch int64, text []byte) []byte {
	return k.all[0].Seal(nil, nil, text, boundTo(cluster, epoch))
}

var errDecrypting = errors.New("decrypting: another key, or not what an instance has written for this cluster in this epoch")

// Decrypt returns the text that Encrypt got for the same cluster and epoch.
func (k *Keys) Decrypt(cluster string, epoch int64, encrypted []byte) ([]byte, error) {
	for _, key := range k.all {
		if text, err := key.Open(nil, nil, encrypted, boundTo(cluster, epoch)); err == nil {
			return text, nil
		}
	}
	return nil, errDecrypting
}

// boundTo is the additional data. The number is in front of the name, which may contain spaces.
func boundTo(cluster string, epoch int64) []byte {
	return fmt.Appendf(nil, "stickwatch canaries 1 %d %s", epoch, cluster)
}
