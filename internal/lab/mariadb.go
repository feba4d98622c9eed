package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

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
	if err != nil {
		tb.Fatal(err)
	}
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
