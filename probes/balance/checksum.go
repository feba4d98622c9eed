package balance

import "hash/crc32"

// checksum adds text to a CRC-32 (IEEE); that of nothing is 0.
//
// crc32.Update does the same, but its argument escapes to the heap, and a
// string has to be copied for it: two allocations a pick. Keys are too short
// for its vector instructions to pay for that.
func checksum[T string | []byte](crc uint32, text T) uint32 {
	crc = ^crc
	for i := range len(text) {
		crc = crc32.IEEETable[byte(crc)^text[i]] ^ crc>>8
	}
	return ^crc
}
