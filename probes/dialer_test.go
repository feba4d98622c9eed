package probes

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// TestConnWaits: whatever a peer says at once is heard after the first word to
// it, and a reader does not outlive the connection.
func TestConnWaits(t *testing.T) {
	for name, speak := range map[string]func(net.Conn){
		"until spoken to": func(c net.Conn) { c.Write([]byte("GET")) },
		"until closed":    func(c net.Conn) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				c := newConn(near)
				defer c.Close()
				read := make(chan int, 1)
				go func() {
					n, _ := c.Read(make([]byte, 9))
					read <- n
				}()
				go io.WriteString(far, "SSH-2.0")
				go io.Copy(io.Discard, far)
				synctest.Wait()
				if len(read) > 0 {
					t.Error("it was heard before it was spoken to")
				}
				speak(c)
				<-read
			})
		})
	}
}
