package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"stickwatch/internal/config"
)

// An adminSocket is a Unix socket that grants full access to everybody who may open
// it. File permissions decide who may.
type adminSocket struct {
	*net.UnixListener
	path string
	file os.FileInfo // of the socket that is ours
}

// openAdmin listens on the admin socket. If the default path cannot be used, the
// daemon runs without it.
func (d *Daemon) openAdmin(ctx context.Context, cfg *config.Config) error {
	path := cmp.Or(d.config.AdminSocket, cfg.AdminSocket())
	socket, err := listenAdmin(ctx, path, d.config.AdminGroup)
	switch {
	case err == nil:
		d.admin = socket
	case d.config.AdminSocket != "" || d.config.AdminGroup != "":
		return err
	default:
		d.logger.Error("no admin socket: without configured users nobody can create silences or announce deployments; set a path with --admin-socket", "err", err)
	}
	return nil
}

// adminListener returns the admin socket; nil: there is none.
func (d *Daemon) adminListener() net.Listener {
	if d.admin == nil {
		return nil
	}
	return d.admin
}

// listenAdmin listens on a Unix socket that only its owner may open, and the members
// of a group unless that is "".
func listenAdmin(ctx context.Context, path, group string) (*adminSocket, error) {
	l, err := listenPrivately(ctx, path, group)
	if err != nil {
		return nil, fmt.Errorf("listening on the admin socket %q: %w", path, err)
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("listening on the admin socket %q: %w", path, err)
	}
	return &adminSocket{l, path, file}, nil
}

// listenPrivately creates the socket in a private directory and moves it to its path
// after its permissions are set, so that nobody else can open it before.
func listenPrivately(ctx context.Context, path, group string) (*net.UnixListener, error) {
	if err := vacant(ctx, path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(private) }()
	at := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: at, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	if err = restrict(at, group); err == nil {
		err = os.Rename(at, path)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// vacant returns an error if the path of a socket is in use by another daemon or
// another file.
func vacant(ctx context.Context, path string) error {
	switch file, err := os.Lstat(path); {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != os.ModeSocket:
		return errors.New("the file is not a socket")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil // left by a daemon that has ended
	}
	conn.Close()
	return errors.New("another daemon is using it")
}

// restrict allows the owner of a file and a group to read and write it.
func restrict(path, group string) error {
	if group == "" {
		return os.Chmod(path, 0o600)
	}
	id, err := strconv.Atoi(group)
	if err != nil {
		known, err := user.LookupGroup(group)
		if err != nil {
			return err
		}
		if id, err = strconv.Atoi(known.Gid); err != nil {
			return err
		}
	}
	if err := os.Chown(path, -1, id); err != nil {
		return err
	}
	return os.Chmod(path, 0o660)
}

// Close stops listening and removes the socket if it is still ours.
func (a *adminSocket) Close() error {
	var err error
	if file, missing := os.Lstat(a.path); missing == nil && os.SameFile(file, a.file) {
		err = os.Remove(a.path)
	}
	return errors.Join(err, a.UnixListener.Close())
}

// Link returns a URL with which a browser may make changes on the page for a time.
func (d *Daemon) Link(length time.Duration) (string, error) { return d.server.Link(length) }
