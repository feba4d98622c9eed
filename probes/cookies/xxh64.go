package cookies

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH64.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// xxh64 is the 64-bit xxHash of data with seed 0, as its specification has it.
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

// stripes folds all whole stripes of 32 bytes, and returns what is left.
func stripes(data []byte) (uint64, []byte) {
	p1, p2 := prime1, prime2 // variables: the sums are to wrap around
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
