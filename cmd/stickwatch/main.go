// Stickwatch watches web applications that run as several nodes behind a load
// balancer, and says whether their users stay where their sessions are.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"stickwatch/internal/logwriter"
)

func main() {
	os.Exit(run(os.Args[1:], console{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}))
}

// run is main with an exit status.
func run(args []string, c console) int {
	root := newRoot(c)
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if text := describe(err); text != "" {
		say(c.err, text)
	}
	return statusOf(err)
}

// lastWords bounds, at the end of the program, the wait for a standard error that
// takes nothing.
const lastWords = 5 * time.Second

// say writes a line to a file, or gives up.
func say(file *os.File, text string) {
	w := logwriter.New(file, nil)
	fmt.Fprintln(w, text)
	w.Flush(lastWords)
}

// A console is where a command reads and writes.
type console struct {
	in, out, err *os.File
	environ      []string
}
