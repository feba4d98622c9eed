package postgres

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzMessages: whatever a server sends, and however it comes in pieces, it is read
// as it is, or not at all.
func FuzzMessages(f *testing.F) {
	for _, body := range []string{
		message('R', "\x00\x00\x00\x0br=x,s=c2FsdA==,i=4096"), message('R', "\x00\x00\x00\x0br=x,i=10000000"),
		message('Z', "I") + message('R', "\x00\x00\x00\x00"), "R\xff\xff\xff\xff", "T\x00\x00\x00\x00",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		whole, err := io.ReadAll(&saslReader{r: bytes.NewReader(sent)})
		_, bad := io.ReadAll(&saslReader{r: iotest.OneByteReader(bytes.NewReader(sent))})
		if (err == nil) != (bad == nil) {
			t.Errorf("got %v at once and %v in pieces", err, bad)
		}
		if err == nil && !bytes.Equal(whole, sent) {
			t.Errorf("got %q, want %q", whole, sent)
		}
	})
}
