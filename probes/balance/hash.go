package balance

import (
	"hash/crc32"
	"net/netip"
	"strconv"
)

type hash struct{ pool }

// Hash is nginx's `hash KEY` without `consistent`. A key is the value of the
// directive's expression. A client with an empty key, such as that of a cookie it does
// not have yet, is sent by round robin.
func Hash(servers []Server) Picker { return &hash{newPool(servers)} }

func (h *hash) Pick(key string, without ...int) (int, bool) {
	if !h.usesHash() || key == "" {
		return h.roundRobin(without)
	}
	var sum uint
	for try := range uint64(tries) {
		sum += uint(memcachedHash(try, key))
		if line := h.line(sum); h.accepts(line, without) {
			return line, true
		}
	}
	return h.roundRobin(without)
}

// memcachedHash is the hash of Perl's Cache::Memcached, which nginx uses. A retry puts
// its decimal number before the key.
func memcachedHash(try uint64, key string) uint32 {
	var crc uint32
	if try > 0 {
		var buf [2]byte
		crc = checksum(crc, strconv.AppendUint(buf[:0], try, 10))
	}
	return checksum(crc, key) >> 16 & 0x7fff
}

// moves implements moveCounter.
func (h *hash) moves(server int) func(key string) int {
	moves := h.pool.moves(server)
	return func(key string) int { return moves(uint(memcachedHash(0, key))) }
}

type addressBytes struct{ Picker }

// AddressBytes returns the picker of `hash $binary_remote_addr`, whose key is the bytes of the client's address. Its
// keys are texts of addresses, as in $remote_addr; for any other text Pick is not ok.
func AddressBytes(hash Picker) Picker { return addressBytes{hash} }

func (b addressBytes) Pick(key string, without ...int) (int, bool) {
	address, err := netip.ParseAddr(key)
	if err != nil {
		return noServer, false
	}
	return b.Picker.Pick(string(address.AsSlice()), without...)
}

// moves implements moveCounter.
func (b addressBytes) moves(server int) func(key string) int {
	counter, ok := b.Picker.(moveCounter)
	if !ok {
		return func(string) int { return 0 }
	}
	moves := counter.moves(server)
	return func(key string) int { return moves(string(netip.MustParseAddr(key).AsSlice())) }
}

type ipHash struct{ pool }

// IPHash is nginx's `ip_hash`. A key is the text of a client address, as in
// $remote_addr; for any other text Pick is not ok.
//
// Of an IPv4 address the first three octets count, so a whole /24 shares a server. An
// IPv6 address counts in full, and so does an IPv4-mapped one (::ffff:192.0.2.1),
// because nginx uses the family of the socket address. A client may therefore get
// another server through a dual-stack listener. "unix:", the $remote_addr of a client
// on a unix socket, counts as three zero octets.
func IPHash(servers []Server) Picker { return &ipHash{newPool(servers)} }

func (i *ipHash) Pick(key string, without ...int) (int, bool) {
	var buf [16]byte
	octets, ok := clientOctets(key, &buf)
	if !ok {
		return noServer, false
	}
	if !i.usesHash() {
		return i.roundRobin(without)
	}
	hash := uint(89)
	for range tries {
		hash = addOctets(hash, octets) // a retry continues from the last value
		if line := i.line(hash); i.accepts(line, without) {
			return line, true
		}
	}
	return i.roundRobin(without)
}

// moves implements moveCounter.
func (i *ipHash) moves(server int) func(key string) int {
	moves := i.pool.moves(server)
	return func(key string) int {
		var buf [16]byte
		octets, _ := clientOctets(key, &buf)
		return moves(addOctets(89, octets))
	}
}

func addOctets(hash uint, octets []byte) uint {
	for _, octet := range octets {
		hash = (hash*113 + uint(octet)) % 6271
	}
	return hash
}

// clientOctets writes the octets of a client address that ip_hash hashes into buf.
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

// checksum adds text to a CRC-32 (IEEE). The checksum of no text is 0.
//
// crc32.Update has the same result, but its argument escapes to the heap, and a string
// must be copied for it, which costs two allocations a pick. Keys are too short for its
// vector instructions to compensate.
func checksum[T string | []byte](crc uint32, text T) uint32 {
	crc = ^crc
	for i := range len(text) {
		crc = crc32.IEEETable[byte(crc)^text[i]] ^ crc>>8
	}
	return ^crc
}
