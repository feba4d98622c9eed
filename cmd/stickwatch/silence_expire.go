package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
)

func newSilenceExpire(c console) *cobra.Command {
	var daemon daemonFlags
	cmd := &cobra.Command{
		Use:   "expire [flags] ID...",
		Short: "End silences now",
		Long: `expire ends silences before their time. What they hid and still holds is told
from then on. It prints the ids of those that ended, a line each.

Exit status:
  0  all have ended
  1  the daemon knows some of them not, refuses, or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch silence expire ca3kq7d2m4xy`,
		Args:    silenceIDs,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := daemon.server.validate(cmd); err != nil {
				return err
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			return expireSilences(cmd.Context(), c, client, ids)
		},
	}
	daemon.register(cmd)
	explain(cmd, daemonSection)
	return cmd
}

// silenceID is what an id of the daemon's looks like. Anything else would be
// another path of its API.
var silenceID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// silenceIDs takes arguments that are ids, and at least one.
func silenceIDs(_ *cobra.Command, ids []string) error {
	if len(ids) == 0 {
		return errors.New("no silence is named: give its id (see: stickwatch silence list)")
	}
	var errs []error
	for _, id := range ids {
		if !silenceID.MatchString(id) {
			errs = append(errs, fmt.Errorf("%q is no id of a silence (see: stickwatch silence list)", render.CleanName(id)))
		}
	}
	return errors.Join(errs...)
}

// expireSilences ends those that it can.
func expireSilences(ctx context.Context, c console, client *apiClient, ids []string) error {
	var errs []error
	for _, id := range ids {
		err := client.call(ctx, http.MethodDelete, silencesPath+"/"+id, nil, nil)
		if refused, ok := errors.AsType[apiError](err); ok && refused.status == http.StatusNotFound {
			err = fmt.Errorf("there is no silence %q (see: stickwatch silence list)", id)
		} else if err != nil && !ok { // nor will there be an answer for the others
			return exitError{exitFinding, errors.Join(append(errs, err)...)}
		}
		if err == nil {
			_, err = fmt.Fprintln(c.out, id)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return exitError{exitFinding, err}
	}
	return nil
}
