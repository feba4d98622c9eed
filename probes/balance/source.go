package balance

import (
	"encoding/binary"
	"net/netip"
	"sync"
)

// maxHAProxyWeight is the largest weight that HAProxy accepts.
const maxHAProxyWeight = 256

// source is HAProxy's `balance source` with hash-type map-based.
type source struct {
	pool
	whole []uint16 // the map of all servers that accept clients

	mu   sync.Mutex
	maps map[string][]uint16 // the latest maps without some servers, by the usable ones: many clients need each
}

// maxMaps bounds the maps that are kept: each has as many places as the sum of the weights.
const maxMaps = 128

// Source is HAProxy's `balance source` with `hash-type map-based`, the default: the
// client's address, as a number, modulo the size of a map of the usable servers
// (src/backend.c, get_server_sh; src/lb_map.c). The map has only usable servers: unlike
// nginx, HAProxy places the clients of all servers anew when one fails, is disabled or
// is removed. A key is the text of an address. Backup servers get clients only when no
// other server is left, and then only the first one.
func Source(servers []Server) Picker {
	s := &source{pool: newPool(servers), maps: make(map[string][]uint16)}
	for line, one := range servers { // newPool gives backups no share
		s.shares[line] = min(max(one.Weight, 1), maxHAProxyWeight)
	}
	s.divide()
	s.whole = s.places(s.usable(nil))
	return s
}

// divide divides the weights by their greatest common divisor.
func (s *source) divide() {
	divisor := 0
	for _, share := range s.shares {
		for a, b := divisor, share; ; a, b = b, a%b {
			if divisor = a; b == 0 {
				break
			}
		}
	}
	for line := range s.shares {
		s.shares[line] /= divisor
	}
}

func (s *source) Pick(key string, without ...int) (int, bool) {
	addr, err := netip.ParseAddr(key)
	if err != nil {
		return noServer, false
	}
	places := s.whole
	if len(without) > 0 {
		places = s.placesWithout(without)
	}
	if len(places) == 0 {
		return noServer, false
	}
	return int(places[foldAddr(addr)%uint32(len(places))]), true
}

// foldAddr returns the exclusive or of the 32-bit words of an address.
func foldAddr(addr netip.Addr) (hash uint32) {
	for word := addr.AsSlice(); len(word) > 0; word = word[4:] {
		hash ^= binary.BigEndian.Uint32(word)
	}
	return hash
}

// placesWithout returns the map without some servers.
func (s *source) placesWithout(without []int) []uint16 {
	usable := s.usable(without)
	var key []byte
	for _, line := range usable {
		key = binary.AppendUvarint(key, uint64(line))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	places, ok := s.maps[string(key)]
	if !ok {
		if len(s.maps) >= maxMaps {
			clear(s.maps)
		}
		places = s.places(usable)
		s.maps[string(key)] = places
	}
	return places
}

// places returns HAProxy's map of the usable servers, which has each as often as its
// weight says (recalc_server_map).
func (s *source) places(usable []int) []uint16 {
	total := 0
	for _, line := range usable {
		total += s.shares[line]
	}
	scores, places := make([]int, len(s.shares)), make([]uint16, total)
	for at := range places {
		best, most := noServer, 0
		for _, line := range usable {
			scores[line] += s.shares[line]
			if value := (scores[line] + total) / total; best == noServer || value > most {
				best, most = line, value
			}
		}
		scores[best] -= total
		places[at] = uint16(best)
	}
	return places
}

// usable returns the servers that accept clients: the primaries, else the first backup.
func (s *source) usable(without []int) (usable []int) {
	for _, line := range s.primaries {
		if s.accepts(line, without) {
			usable = append(usable, line)
		}
	}
	for _, line := range s.backups {
		if len(usable) == 0 && s.accepts(line, without) {
			usable = append(usable, line)
		}
	}
	return usable
}

// maxOthers bounds the other servers that moves considers: a map takes as many steps as the
// product of its places and servers.
const maxOthers = 32

// moves implements moveCounter.
func (s *source) moves(server int) func(key string) int {
	var reduced [][]uint16 // maps without one other server
	for line := range min(len(s.shares), maxOthers) {
		if places := s.placesWithout([]int{line}); line != server && len(places) > 0 {
			reduced = append(reduced, places)
		}
	}
	return func(key string) (count int) {
		hash := foldAddr(netip.MustParseAddr(key))
		for _, places := range reduced {
			if int(places[hash%uint32(len(places))]) != server {
				count++
			}
		}
		return count
	}
}
