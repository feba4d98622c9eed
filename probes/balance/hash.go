package balance

import (
	"net/netip"
	"strconv"
)

type hash struct{ pool }

// Hash is nginx's `hash KEY` without `consistent`. A key is what the
// directive's expression comes to. An empty one, such as the cookie of a client
// that has none yet, is sent by round robin.
func Hash(servers []Server) Picker { return &hash{newPool(servers)} }

func (b *hash) Pick(key string, without ...int) (int, bool) {
	if !b.usesHash() || key == "" {
		return b.roundRobin(without)
	}
	var sum uint
	for try := range uint64(tries) {
		sum += uint(memcachedHash(try, key))
		if line := b.line(sum); b.accepts(line, without) {
			return line, true
		}
	}
	return b.roundRobin(without)
}

// memcachedHash is that of Perl's Cache::Memcached, which nginx keeps to. A
// retry puts its decimal number in front of the key.
func memcachedHash(try uint64, key string) uint32 {
	var crc uint32
	if try > 0 {
		var buf [2]byte
		crc = checksum(crc, strconv.AppendUint(buf[:0], try, 10))
	}
	return checksum(crc, key) >> 16 & 0x7fff
}

type ipHash struct{ pool }

// IPHash is nginx's `ip_hash`. A key is the text of a client address, as in
// $remote_addr; for any other text Pick is not ok.
//
// An IPv4 address counts by its first three octets: a whole /24 shares a
// server. An IPv6 address counts in full, and so does an IPv4-mapped one
// (::ffff:192.0.2.1): nginx goes by the family of the socket address, so the
// same client lands elsewhere when it comes in through a dual-stack listener.
// "unix:", which is what $remote_addr says of a client on a unix socket, counts
// as three zero octets.
func IPHash(servers []Server) Picker { return &ipHash{newPool(servers)} }

func (b *ipHash) Pick(key string, without ...int) (int, bool) {
	var buf [16]byte
	octets, ok := clientOctets(key, &buf)
	if !ok {
		return noServer, false
	}
	if !b.usesHash() {
		return b.roundRobin(without)
	}
	hash := uint(89)
	for range tries {
		for _, octet := range octets { // a retry goes on from the value before
			hash = (hash*113 + uint(octet)) % 6271
		}
		if line := b.line(hash); b.accepts(line, without) {
			return line, true
		}
	}
	return b.roundRobin(without)
}

// clientOctets writes into buf what ip_hash hashes of a client address.
func clientOctets(client string, buf *[16]byte) (octets []byte, ok bool) {
	if client == "unix:" {
		return buf[:3], true
	}
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return nil, false
	}
	if addr.Is4() {
		v4 := addr.As4()
		return buf[:copy(buf[:3], v4[:])], true
	}
	*buf = addr.As16()
	return buf[:], true
}
