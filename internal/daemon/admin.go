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

// An adminSocket is the Unix socket by which whoever may open it may change
// everything: the file system decides.
type adminSocket struct {
	*net.UnixListener
	path string
	file os.FileInfo // of the socket that is ours
}

// openAdmin listens at the admin socket. Where nobody said which, one that cannot be
// had keeps nothing from being watched.
func (d *Daemon) openAdmin(ctx context.Context, cfg *config.Config) error {
	path := cmp.Or(d.config.AdminSocket, cfg.AdminSocket())
	socket, err := listenAdmin(ctx, path, d.config.AdminGroup)
	switch {
	case err == nil:
		d.admin = socket
	case d.config.AdminSocket != "" || d.config.AdminGroup != "":
		return err
	default:
		d.logger.Error("there is no admin socket: without users nobody can silence or announce anything; name one with --admin-socket", "err", err)
	}
	return nil
}

// adminListener is the admin socket; nil: there is none.
func (d *Daemon) adminListener() net.Listener {
	if d.admin == nil {
		return nil
	}
	return d.admin
}

// listenAdmin listens at a Unix socket that only its owner may open, and the members
// of a group unless that is "".
func listenAdmin(ctx context.Context, path, group string) (*adminSocket, error) {
	l, err := listenPrivately(ctx, path, group)
	if err != nil {
		return nil, fmt.Errorf("listening at the admin socket %q: %w", path, err)
	}
	file, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("listening at the admin socket %q: %w", path, err)
	}
	return &adminSocket{l, path, file}, nil
}

// listenPrivately makes the socket where nobody else can go, and moves it to its
// place when its mode is right: it is never open to more people than it should be.
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
	defer os.RemoveAll(private)
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

// vacant reports an error where the place of a socket is taken by something that
// another daemon, or nobody of ours, has put there.
func vacant(ctx context.Context, path string) error {
	switch file, err := os.Lstat(path); {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case file.Mode().Type() != os.ModeSocket:
		return errors.New("there is a file that is no socket")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil // of a daemon that is gone
	}
	conn.Close()
	return errors.New("another daemon answers there")
}

// restrict lets the owner of a file, and a group, read and write it.
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

// Close ends listening, and takes the socket away if it is still ours.
func (a *adminSocket) Close() error {
	if file, err := os.Lstat(a.path); err == nil && os.SameFile(file, a.file) {
		os.Remove(a.path)
	}
	return a.UnixListener.Close()
}

// Link returns a link by which a browser may change something on the page for a
// while.
func (d *Daemon) Link(length time.Duration) (string, error) { return d.server.Link(length) }
