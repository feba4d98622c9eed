package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stickwatch/internal/must"
)

// The files of Debian's Zabbix: its database and its frontend, which has the API.
const (
	zabbixSQL = "/usr/share/zabbix-server-pgsql"
	zabbixWeb = "/usr/share/zabbix"
)

// ZabbixServer is a running Zabbix with its frontend.
type ZabbixServer struct {
	api *Process
}

// API returns the URL of its JSON-RPC API. The user Admin has the password zabbix.
func (z *ZabbixServer) API() string { return "http://" + z.api.Addr() + "/api_jsonrpc.php" }

// Zabbix starts a Zabbix server and its frontend on a PostgreSQL of their own. Loading its
// database takes up to a minute.
func Zabbix(tb testing.TB) *ZabbixServer {
	tb.Helper()
	server, php, dir, listen := program(tb, "zabbix_server"), program(tb, "php"), directory(tb), FreeAddr(tb)
	Require(tb, "psql")
	for _, path := range []string{zabbixSQL, zabbixWeb} {
		if _, err := os.Stat(path); err != nil {
			tb.Skipf("the lab needs %s of Debian's packages: %v", path, err)
		}
	}
	database := Postgres(tb)
	loadZabbix(tb, database.URL())
	host, port, _ := net.SplitHostPort(database.Addr())
	_, trapper, _ := net.SplitHostPort(listen)
	settings := map[string]any{"Dir": dir, "Port": trapper, "Host": host, "DatabasePort": port, "User": User, "Password": Password}
	file := filepath.Join(logDir(dir), "zabbix_server.conf")
	if err := writeConfig(file, "zabbix_server.conf.tmpl", settings); err != nil {
		tb.Fatalf("configuring Zabbix: %v", err)
	}
	Run(tb, Command{Name: "zabbix", Path: server, Args: []string{"-f", "-c", file}, Dir: dir, Addr: listen})
	return &ZabbixServer{zabbixFrontend(tb, php, settings)}
}

// loadZabbix loads the database of a new Zabbix.
func loadZabbix(tb testing.TB, url string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute)
	defer cancel()
	script := "set -eo pipefail; for f in schema images data; do zcat " + zabbixSQL + "/$f.sql.gz; done | psql -q -v ON_ERROR_STOP=1 '" + url + "' > /dev/null"
	if out, err := exec.CommandContext(ctx, "bash", "-c", script).CombinedOutput(); err != nil {
		tb.Fatalf("loading the database of Zabbix: %v\n%s", err, out)
	}
}

// zabbixFrontend serves a copy of the frontend whose configuration is not the one of this
// machine.
func zabbixFrontend(tb testing.TB, php string, settings map[string]any) *Process {
	tb.Helper()
	dir, listen := directory(tb), FreeAddr(tb)
	web := filepath.Join(dir, "web")
	if out, err := exec.CommandContext(tb.Context(), "cp", "-rL", zabbixWeb, web).CombinedOutput(); err != nil {
		tb.Fatalf("copying the frontend of Zabbix: %v\n%s", err, out)
	}
	config := filepath.Join(dir, "zabbix.conf.php")
	if err := writeConfig(config, "zabbix.conf.php.tmpl", settings); err != nil {
		tb.Fatalf("configuring the frontend of Zabbix: %v", err)
	}
	class := filepath.Join(web, "include/classes/core/CConfigFile.php")
	source, err := os.ReadFile(class)
	must.Succeed(tb, err)
	changed := strings.ReplaceAll(string(source), "'/etc/zabbix/zabbix.conf.php'", fmt.Sprintf("'%s'", config))
	must.Succeed(tb, os.WriteFile(class, []byte(changed), 0o644))
	return Run(tb, Command{
		Name: "zabbix-frontend", Path: php, Dir: dir, Addr: listen,
		Args: []string{"-S", listen, "-t", web, "-d", "memory_limit=512M", "-d", "max_execution_time=300", "-d", "date.timezone=UTC"},
	})
}
