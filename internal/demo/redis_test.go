package demo

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"stickwatch/internal/must"
)

func TestRedis(t *testing.T) {
	s, err := startRedis(nil)
	must.Succeed(t, err)
	defer s.endpoint.close()
	if err := s.ping(t.Context()); err != nil {
		t.Errorf("up: %v", err)
	}
	s.Stop()
	if err := s.ping(t.Context()); err == nil {
		t.Error("stopped, and it answers")
	}
	must.Succeed(t, s.Start())
	if err := s.ping(t.Context()); err != nil {
		t.Errorf("started again: %v", err)
	}
}

func TestRedisAnswers(t *testing.T) {
	s, err := startRedis(nil)
	must.Succeed(t, err)
	defer s.endpoint.close()
	tests := []struct{ name, sent, want string }{
		{"what clients say first", "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", "-ERR unknown command\r\n"},
		{"two at once", "*1\r\n$4\r\nping\r\n*3\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$1\r\nx\r\n", "+PONG\r\n+OK\r\n"},
		{"nonsense", "GET / HTTP/1.1\r\n", ""},
		{"too many words", "*1000000\r\n", ""},
		{"a negative length", "*1\r\n$-1\r\n", ""},
		{"a line without end", strings.Repeat("*", 8<<10), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "redis://"))
			must.Succeed(t, err)
			defer conn.Close()
			io.WriteString(conn, tt.sent)
			conn.(*net.TCPConn).CloseWrite()
			got, _ := io.ReadAll(bufio.NewReader(conn)) // the rest of an invalid command may cause a reset
			if string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
