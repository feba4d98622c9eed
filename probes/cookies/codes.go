package cookies

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
)

// A code is a text that a product makes from a server and puts in a cookie.
type code struct {
	product  Product
	text     string
	strength strength
}

// codes are all that stand for s. The sources are the products' own: nginx's
// and Tengine's sticky modules, Caddy's hashCookie, Traefik's Sticky,
// ingress-nginx's nodemap.lua, HAProxy's srv_set_dyncookie.
func codes(s Server, opts Options) []code {
	var list []code
	for _, address := range s.addresses() {
		list = append(list,
			code{Nginx, address, byBalancer}, // Tengine with hash=plain
			code{Nginx, md5Hex(address), byAddress},
			code{Caddy, hmacHex(opts.Secret, address), byAddress},
		)
		if opts.Backend != "" {
			list = append(list, code{IngressNginx, md5Hex(opts.Backend + address), byAddress})
		}
		if text, ok := dynamicCookie(opts.Secret, address); ok {
			list = append(list, code{HAProxy, text, byAddress})
		}
	}
	for _, u := range s.urls() {
		once := fnvHex(u)
		list = append(list,
			code{Traefik, sha256Hex(u)[:16], byAddress}, // version 3
			code{Traefik, once, byAddress},              // version 2, which hashed twice in some releases,
			code{Traefik, fnvHex(once), byAddress},
			code{Traefik, u, byName}, // and not at all in its first
		)
	}
	return list
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

// fnvHex has no leading zeros, as Traefik's has none.
func fnvHex(text string) string {
	h := fnv.New64()
	h.Write([]byte(text))
	return strconv.FormatUint(h.Sum64(), 16)
}

// dynamicCookie is HAProxy's cookie for a server without one of its own, under
// `cookie ... dynamic`: the XXH64 of the key, the address and the port, the
// latter in four bytes, all in network order. There is none without a key, or
// for a host name.
func dynamicCookie(key, address string) (string, bool) {
	a, ok := addrPort(address)
	if key == "" || !ok {
		return "", false
	}
	data := append([]byte(key), a.Addr().AsSlice()...)
	data = binary.BigEndian.AppendUint32(data, uint32(a.Port()))
	return fmt.Sprintf("%016x", xxh64(data)), true
}
