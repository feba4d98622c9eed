package lab

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"stickwatch/internal/must"
)

// eximUser runs Exim, which refuses to run as root.
const eximUser = "Debian-exim"

// EximServer is a running Exim that accepts the mail of [User].
type EximServer struct {
	*Process
	mails string
}

// Exim starts an Exim with a certificate for STARTTLS, which refuses mail of more than
// maxSize bytes. It needs root, because Exim reads only a configuration of root.
func Exim(tb testing.TB, certificate, key string, maxSize int) *EximServer {
	tb.Helper()
	path, dir, listen := program(tb, "exim4"), directory(tb), FreeAddr(tb)
	if !isRoot() {
		tb.Skip("Exim reads only a configuration of root")
	}
	file := filepath.Join(logDir(dir), "exim.conf")
	err := writeConfig(file, "exim.conf.tmpl", map[string]any{
		"Dir": dir, "Certificate": certificate, "Key": key, "MaxSize": maxSize, "User": User, "Password": Password,
	})
	if err != nil {
		tb.Fatalf("configuring Exim: %v", err)
	}
	spool := filepath.Join(dir, "spool")
	must.Succeed(tb, os.Mkdir(spool, 0o700))
	chown(tb, eximUser, spool, logDir(dir), certificate, key)
	host, port, _ := net.SplitHostPort(listen)
	process := Run(tb, Command{
		Name: "exim",
		Path: path,
		Args: []string{"-C", file, "-bdf", "-oX", "<; [" + host + "]:" + port},
		Dir:  dir,
		Addr: listen,
		User: eximUser,
	})
	return &EximServer{process, filepath.Join(spool, "mails")}
}

// Mails returns what Exim delivered, one mail after the other.
func (e *EximServer) Mails(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile(e.mails)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return string(text)
}
