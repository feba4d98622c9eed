package balance

import "strconv"

type hash struct{ pool }

// Hash is nginx's `hash KEY` without `consistent`. A key is what the
// directive's expression comes to. An empty one, such as the cookie of a client
// that has none yet, is sent by round robin.
func Hash(servers []Server) Picker { return &hash{newPool(servers)} }

func (b *hash) Pick(key string, without ...int) (int, bool) {
	if !b.hashes() || key == "" {
		return b.roundRobin(without)
	}
	var sum uint
	for try := range uint64(tries) {
		sum += uint(memcachedHash(try, key))
		if line := b.line(sum); b.takes(line, without) {
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
