package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
)

// tokenOptions are the flags of token.
type tokenOptions struct {
	daemon daemonFlags
	length setting[time.Duration]
	bearer bool
}

// wireToken is a token in the JSON of the daemon.
type wireToken struct {
	Token   string    `json:"token"`
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

func newToken(c console) *cobra.Command {
	o := tokenOptions{length: newSetting("12h", days)}
	cmd := &cobra.Command{
		Use:   "token [flags]",
		Short: "Let a browser or a pipeline change something",
		Long: `token asks the daemon on this machine, through its admin socket, for a link that
lets a browser silence and probe on the status page, and prints it. The link is
good for ten minutes, what the browser gets by it for as long as --for says.

With --bearer it prints a token for programs: --token-file of the commands, or
the header "Authorization: Bearer TOKEN".

A restart of the daemon forgets all of them. A daemon that has users in its
--web.config.file gives out none: ask it as one of them.

Exit status:
  0  there it is
  1  the daemon refuses, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch token
  # for a pipeline that announces deployments
  stickwatch token --bearer --for 30d > stickwatch.token
  stickwatch probe --watch --server https://watch.example \
      --token-file stickwatch.token -- ./deploy.sh`,
		Args: noArguments(func(string) string { return "stickwatch token" }),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd, c) },
	}
	cmd.Flags().Var(&o.length, "for", "for how long something may be changed, a `DURATION` such as 30m, 12h or 7d; 90 days at most")
	cmd.Flags().BoolVar(&o.bearer, "bearer", false, "print a token for programs in place of a link")
	o.daemon.register(cmd)
	explain(cmd, section{"What to print", []string{"for", "bearer"}}, daemonSection)
	return cmd
}

func (o *tokenOptions) run(cmd *cobra.Command, c console) error {
	if err := o.daemon.server.validate(cmd); err != nil {
		return err
	}
	if err := o.length.usageError("for"); err != nil {
		return err
	}
	client, err := o.daemon.client(cmd)
	if err != nil {
		return err
	}
	var token wireToken
	request := map[string]any{"duration": o.length.value.String(), "bearer": o.bearer}
	if err := client.call(cmd.Context(), http.MethodPost, "/-/token", request, &token); err != nil {
		return exitError{exitFinding, err}
	}
	if o.bearer {
		_, err = fmt.Fprintln(c.out, render.CleanSentence(token.Token))
	} else {
		_, err = fmt.Fprintln(c.out, render.CleanSentence(token.Link))
	}
	return err
}
