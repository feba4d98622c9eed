package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

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
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// chown makes a user the owner of files.
func chown(tb testing.TB, username string, paths ...string) {
	tb.Helper()
	uid, gid, err := userIDs(username)
	if err != nil {
		tb.Fatal(err)
	}
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
