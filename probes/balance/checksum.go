package balance

import "hash/crc32"

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
