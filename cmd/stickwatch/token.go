package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
	"stickwatch/internal/wire"
)

// tokenOptions are the flags of token.
type tokenOptions struct {
	daemon daemonFlags
	length setting[time.Duration]
	bearer bool
}

func newToken(c console) *cobra.Command {
	options := tokenOptions{length: newSetting("12h", days)}
	cmd := &cobra.Command{
		Use:   "token [flags]",
		Short: "Give a browser or a pipeline write access",
		Long: `token prints a link that gives a browser write access to the status page, to add
silences and start probes. It gets the link from the daemon on this machine
through the admin socket. The link works for ten minutes; the access of the
browser lasts for --for.

With --bearer it prints a token for programs, for --token-file or the header
"Authorization: Bearer TOKEN".

A restart of the daemon invalidates all tokens. A daemon with users in its
--web.config.file issues none: authenticate as one of the users.

Exit status:
  0  the link or token was printed
  1  the daemon refused, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch token
  # for a pipeline that announces deployments
  stickwatch token --bearer --for 30d > stickwatch.token
  stickwatch probe --watch --server https://watch.example \
      --token-file stickwatch.token -- ./deploy.sh`,
		Args: noArguments(func(string) string { return "stickwatch token" }),
		RunE: func(cmd *cobra.Command, _ []string) error { return options.run(cmd, c) },
	}
	cmd.Flags().Var(&options.length, "for", "lifetime of the access, a `DURATION` such as 30m, 12h or 7d; at most 90 days")
	cmd.Flags().BoolVar(&options.bearer, "bearer", false, "print a token for programs instead of a link")
	options.daemon.register(cmd)
	explain(cmd, section{"Token", []string{"for", "bearer"}}, daemonSection)
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
	var token wire.Token
	request := wire.TokenRequest{Duration: o.length.value.String(), Bearer: o.bearer}
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
