package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"stickwatch/internal/must"
)

// Credentials of every store that supports them. Redis has a password only, memcached
// nothing.
const (
	User     = "stickwatch"
	Password = "lab-password"
)

// Dependency is a running store that an application's nodes depend on. Its data is in
// the test's temporary directory and survives Stop and Start as far as the product
// supports that.
type Dependency struct {
	*Process
	url string
}

// URL returns the store's address as in a configuration, including credentials.
func (d *Dependency) URL() string { return d.url }

// Redis starts a Redis that requires [Password].
func Redis(tb testing.TB) *Dependency {
	tb.Helper()
	path, dir, host, port := storePaths(tb, "redis-server")
	process := Run(tb, Command{
		Name: "redis",
		Path: path,
		Args: []string{
			"--bind", host, "--port", port, "--dir", dir, "--requirepass", Password,
			"--save", "3600 1", // saves its data when it stops
		},
		Dir:  dir,
		Addr: host + ":" + port,
	})
	return &Dependency{process, "redis://:" + Password + "@" + process.Addr()}
}

// Memcached starts a memcached, without credentials.
func Memcached(tb testing.TB) *Dependency {
	tb.Helper()
	path, dir, host, port := storePaths(tb, "memcached")
	args := []string{"-l", host, "-p", port, "-U", "0", "-m", "16", "-t", "2"}
	if isRoot() {
		args = append(args, "-u", "root")
	}
	process := Run(tb, Command{
		Name: "memcached",
		Path: path,
		Args: args,
		Dir:  dir,
		Addr: host + ":" + port,
	})
	return &Dependency{process, "memcached://" + process.Addr()}
}

// storePaths returns the program, the directory and the address of a store.
func storePaths(tb testing.TB, name string) (path, dir, host, port string) {
	tb.Helper()
	path, dir = program(tb, name), directory(tb)
	host, port, err := net.SplitHostPort(FreeAddr(tb))
	if err != nil {
		tb.Fatalf("splitting a free address: %v", err)
	}
	return path, dir, host, port
}

// MariaDB starts a MariaDB with [User], [Password] and a database named after the user.
// It takes a few seconds to write the system tables.
func MariaDB(tb testing.TB) *Dependency {
	tb.Helper()
	Require(tb, "mariadb-install-db")
	path, dir, host, port := storePaths(tb, "mariadbd")
	options := mariaDBOptions(dir)
	install, _ := find("mariadb-install-db")
	err := prepare(tb, Command{
		Name: "mariadb-install-db",
		Path: install,
		Args: append(options, "--auth-root-authentication-method=normal", "--skip-test-db"),
		Dir:  dir,
	})
	must.Succeed(tb, err)
	account := filepath.Join(dir, "init.sql")
	if err := os.WriteFile(account, []byte(mariaDBAccount), 0o644); err != nil {
		tb.Fatalf("writing MariaDB's account: %v", err)
	}
	process := Run(tb, Command{
		Name: "mariadb",
		Path: path,
		Args: append(options, "--bind-address="+host, "--port="+port, "--init-file="+account,
			"--socket=socket", // relative to the data directory: an absolute path may be too long for a socket
			"--skip-name-resolve"),
		Dir:  dir,
		Addr: host + ":" + port,
	})
	return &Dependency{process, fmt.Sprintf("mysql://%s:%s@%s/%s", User, Password, process.Addr(), User)}
}

// mariaDBAccount runs at every start, before the server accepts connections.
const mariaDBAccount = `CREATE DATABASE IF NOT EXISTS ` + User + `;
CREATE USER IF NOT EXISTS '` + User + `'@'127.0.0.1' IDENTIFIED BY '` + Password + `';
GRANT ALL ON ` + User + `.* TO '` + User + `'@'127.0.0.1';
`

// mariaDBOptions are options of the server and of the script that writes its tables.
// The database is small and must survive a killed server (2: every commit is written),
// but not a power failure (flushed).
func mariaDBOptions(dir string) []string {
	options := []string{
		"--no-defaults",
		"--datadir=" + filepath.Join(dir, "data"),
		"--innodb-log-file-size=4M",
		"--innodb-buffer-pool-size=16M",
		"--innodb-flush-log-at-trx-commit=2",
	}
	if isRoot() {
		options = append(options, "--user=root")
	}
	return options[:len(options):len(options)] // so that append copies
}

// postgresUser runs PostgreSQL when the tests run as root, which it refuses. Debian's
// package creates the account.
const postgresUser = "postgres"

// Postgres starts a PostgreSQL with [User] and [Password] (scram-sha-256), and the
// database "postgres". When the tests run as root, it runs as the user postgres.
func Postgres(tb testing.TB) *Dependency {
	tb.Helper()
	Require(tb, "initdb", "pg_isready")
	path, dir, host, port := storePaths(tb, "postgres")
	data := initPostgres(tb, dir)
	process := Run(tb, Command{
		Name: "postgres",
		Path: path,
		Args: []string{"-D", data, "-h", host, "-p", port, "-k", "", "-F"},
		Dir:  dir,
		Addr: host + ":" + port,
		User: postgresUser,
		// SIGTERM would wait for clients to disconnect.
		StopSignal: syscall.SIGINT,
		// "Immediate shutdown", without a checkpoint. After SIGKILL its processes, each
		// in its own session, could live long enough to prevent a restart, and its
		// shared memory would remain.
		KillSignal: syscall.SIGQUIT,
		Ready:      func(ctx context.Context) error { return postgresReady(ctx, host, port) },
	})
	return &Dependency{process, fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", User, Password, process.Addr())}
}

// initPostgres creates an empty database cluster and returns its directory.
func initPostgres(tb testing.TB, dir string) (data string) {
	tb.Helper()
	data = filepath.Join(dir, "data")
	password := filepath.Join(dir, "password")
	if err := os.Mkdir(data, 0o700); err != nil {
		tb.Fatalf("making PostgreSQL's data directory: %v", err)
	}
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		tb.Fatalf("writing PostgreSQL's password: %v", err)
	}
	if isRoot() {
		chown(tb, postgresUser, data, password)
	}
	initdb, _ := find("initdb")
	err := prepare(tb, Command{
		Name: "initdb",
		Path: initdb,
		Args: []string{"-D", data, "-U", User, "--pwfile", password, "-A", "scram-sha-256", "-N"},
		Dir:  dir,
		User: postgresUser,
	})
	must.Succeed(tb, err)
	return data
}

// chown makes a user the owner of files.
func chown(tb testing.TB, username string, paths ...string) {
	tb.Helper()
	uid, gid, err := userIDs(username)
	must.Succeed(tb, err)
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			tb.Fatalf("giving %q to %q: %v", path, username, err)
		}
	}
}

// postgresReady reports whether the server accepts clients. While it starts, it accepts
// connections and returns an error.
func postgresReady(ctx context.Context, host, port string) error {
	isReady, _ := find("pg_isready")
	output, err := exec.CommandContext(ctx, isReady, "-h", host, "-p", port).CombinedOutput()
	if err != nil {
		return fmt.Errorf("asking PostgreSQL: %w: %s", err, output)
	}
	return nil
}

// AlertmanagerConfig describes an Alertmanager.
type AlertmanagerConfig struct {
	// Webhook is the URL that receives every firing and resolved alert, each in its own
	// request.
	Webhook string
}

// AlertmanagerServer is a running Prometheus Alertmanager without peers.
type AlertmanagerServer struct {
	*Process
}

// Alertmanager starts Alertmanager in the foreground.
func Alertmanager(tb testing.TB, config AlertmanagerConfig) *AlertmanagerServer {
	tb.Helper()
	path, dir, listen := program(tb, "prometheus-alertmanager"), directory(tb), FreeAddr(tb)
	file := filepath.Join(logDir(dir), "alertmanager.yml")
	if err := writeConfig(file, "alertmanager.yml.tmpl", config); err != nil {
		tb.Fatalf("configuring Alertmanager: %v", err)
	}
	process := Run(tb, Command{
		Name: "alertmanager",
		Path: path,
		Args: []string{
			"--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data"),
			"--web.listen-address=" + listen, "--cluster.listen-address=", // no gossip
		},
		Dir:  dir,
		Addr: listen,
	})
	return &AlertmanagerServer{process}
}

// URL returns the server's root, without a trailing slash.
func (a *AlertmanagerServer) URL() string { return "http://" + a.Addr() }

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
