package cookies

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/bits"
	"strconv"
)

// codesOf returns the texts that products compute from s and write into cookies. The
// algorithms are from the products' sources: nginx's and Tengine's sticky modules, Caddy's
// hashCookie, Traefik's Sticky, ingress-nginx's nodemap.lua, HAProxy's srv_set_dyncookie.
func codesOf(s Server, opts Options) map[string]strength {
	codes := make(map[string]strength)
	for _, address := range s.addresses() {
		codes[address] = byBalancer                      // Tengine with hash=plain
		codes[md5Hex(address)] = byAddress               // nginx and Tengine
		codes[hmacHex(opts.Secret, address)] = byAddress // Caddy, also without a secret
		if opts.Backend != "" {
			codes[md5Hex(opts.Backend+address)] = byAddress // ingress-nginx, persistent affinity
		}
		if text, ok := dynamicCookie(opts.Secret, address); ok {
			codes[text] = byAddress
		}
	}
	for _, u := range s.urls() {
		once := fnvHex(u)
		codes[sha256Hex(u)[:16]] = byAddress // Traefik 3
		codes[once] = byAddress              // Traefik 2, which hashes twice in some releases
		codes[fnvHex(once)] = byAddress
		codes[u] = byName // the first releases of Traefik 2, which do not hash
	}
	return codes
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func hmacHex(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// fnvHex has no leading zeros, as in Traefik.
func fnvHex(text string) string {
	h := fnv.New64()
	h.Write([]byte(text))
	return strconv.FormatUint(h.Sum64(), 16)
}

// dynamicCookie returns HAProxy's cookie for a server without a cookie of its own,
// under `cookie ... dynamic`: the XXH64 of the key, the address and the port, the
// latter in four bytes, all in network byte order. There is none without a key, or for
// a host name.
func dynamicCookie(key, address string) (string, bool) {
	a, ok := addrPort(address)
	if key == "" || !ok {
		return "", false
	}
	data := append([]byte(key), a.Addr().AsSlice()...)
	data = binary.BigEndian.AppendUint32(data, uint32(a.Port()))
	return fmt.Sprintf("%016x", xxh64(data)), true
}

// The primes of XXH64.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// xxh64 is the 64-bit xxHash of data with seed 0, according to its specification.
func xxh64(data []byte) uint64 {
	n := uint64(len(data))
	h := prime5
	if len(data) >= 32 {
		h, data = stripes(data)
	}
	h += n
	for ; len(data) >= 8; data = data[8:] {
		h ^= xxhRound(0, binary.LittleEndian.Uint64(data))
		h = bits.RotateLeft64(h, 27)*prime1 + prime4
	}
	if len(data) >= 4 {
		h ^= uint64(binary.LittleEndian.Uint32(data)) * prime1
		h = bits.RotateLeft64(h, 23)*prime2 + prime3
		data = data[4:]
	}
	for _, b := range data {
		h ^= uint64(b) * prime5
		h = bits.RotateLeft64(h, 11) * prime1
	}
	return avalanche(h)
}

// stripes hashes all whole stripes of 32 bytes, and returns the rest.
func stripes(data []byte) (uint64, []byte) {
	p1, p2 := prime1, prime2 // variables, so that the sums wrap around
	lanes := [4]uint64{p1 + p2, p2, 0, -p1}
	for ; len(data) >= 32; data = data[32:] {
		for i := range lanes {
			lanes[i] = xxhRound(lanes[i], binary.LittleEndian.Uint64(data[8*i:]))
		}
	}
	var h uint64
	for i, turn := range []int{1, 7, 12, 18} {
		h += bits.RotateLeft64(lanes[i], turn)
	}
	for _, lane := range lanes {
		h = (h^xxhRound(0, lane))*prime1 + prime4
	}
	return h, data
}

func xxhRound(lane, input uint64) uint64 {
	return bits.RotateLeft64(lane+input*prime2, 31) * prime1
}

func avalanche(h uint64) uint64 {
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}
