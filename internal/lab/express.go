package lab

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"

	"stickwatch/internal/must"
)

// ExpressConfig describes a node of an Express application. Its page /cluster/test
// returns as JSON the node, the session id, and the value that ?set= has stored. The
// zero value is express-session with its defaults.
type ExpressConfig struct {
	ID string
	// Env is added to the node's environment: see the script.
	Env []string
	// Script is the application, a file of the folder express; "": server.js. It must read
	// the variables ID and ADDR, and answer /status.
	Script string
	// Addr is host:port to listen on; "": a free address.
	Addr string
}

// Express starts an Express with express-session. Its modules come from the npm
// registry, as those of [SocketIO] do.
func Express(tb testing.TB, config ExpressConfig) *Process {
	tb.Helper()
	node, modules, dir := program(tb, "node"), nodeModules(tb, "express", "express"), directory(tb)
	name := cmp.Or(config.Script, "server.js")
	script := filepath.Join(dir, name)
	must.Succeed(tb, copyEmbedded("express/"+name, script))
	addr := cmp.Or(config.Addr, FreeAddr(tb))
	return Run(tb, Command{
		Name: "express-" + config.ID,
		Path: node,
		Args: []string{script},
		Env:  append([]string{"NODE_PATH=" + filepath.Join(modules, "node_modules"), "ID=" + config.ID, "ADDR=" + addr}, config.Env...),
		Dir:  dir,
		Addr: addr,
	})
}

// PHPConfig describes a node of a PHP application with sessions in files. Its page
// /cluster/test returns as JSON the node, the session id, and the value that ?set= has
// stored.
type PHPConfig struct {
	ID string
	// Files is the folder of the sessions; "": the node's own.
	Files string
	// Work is how long the page keeps its session locked, in milliseconds.
	Work string
	// Strict makes PHP reject session ids that it has not issued, which is off by
	// default.
	Strict bool
}

// PHP starts PHP's built-in server with six worker processes.
func PHP(tb testing.TB, config PHPConfig) *Process {
	tb.Helper()
	path, dir, addr := program(tb, "php"), directory(tb), FreeAddr(tb)
	if config.Files == "" {
		config.Files = filepath.Join(dir, "sessions")
		must.Succeed(tb, os.Mkdir(config.Files, 0o700))
	}
	script := filepath.Join(dir, "page.php")
	must.Succeed(tb, copyConfig("page.php", script))
	strict := "0"
	if config.Strict {
		strict = "1"
	}
	return Run(tb, Command{
		Name: "php-" + config.ID,
		Path: path,
		Args: []string{"-d", "session.save_path=" + config.Files, "-d", "session.use_strict_mode=" + strict, "-S", addr, script},
		Env:  []string{"PHP_CLI_SERVER_WORKERS=6", "NODE_ID=" + config.ID, "WORK_MS=" + config.Work},
		Dir:  dir,
		Addr: addr,

		LeavesWorkers: true,
	})
}

func copyConfig(name, to string) error {
	text, err := configFiles.ReadFile("conf/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
