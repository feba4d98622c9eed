package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/internal/render"
	"stickwatch/internal/wire"
)

// An acknowledgeRequest is an acknowledgement in the JSON of the API.
type acknowledgeRequest struct {
	Author string `json:"author"`
	Note   string `json:"note"`
}

func newAcknowledge(c console) *cobra.Command {
	var daemon daemonFlags
	var asked acknowledgeRequest
	cmd := &cobra.Command{
		Use:     "acknowledge [flags] INCIDENT",
		Aliases: []string{"ack"},
		Short:   "Say that you take care of an incident",
		Long: `acknowledge records who takes care of an open incident. The receivers that were
notified of it are told so. There are no more reminders, and a route with
escalate_after notifies nobody else. Receivers are still notified of what
happens and of the end. An acknowledgement ends when the incident becomes
critical.

Exit status:
  0  the incident is acknowledged
  1  it is not open, or the daemon refused or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch acknowledge 20261101T071003123-1a2b3c4d --note "restarting Redis"`,
		Args:    incidentArgument,
		RunE: func(cmd *cobra.Command, ids []string) error {
			errs := []error{daemon.server.validate(cmd)}
			for _, flag := range []struct{ name, value string }{{"author", asked.Author}, {"note", asked.Note}} {
				if cmd.Flags().Changed(flag.name) && isEmptyValue(flag.value) {
					errs = append(errs, emptyFlag(flag.name))
				}
			}
			if err := errors.Join(errs...); err != nil {
				return err
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			if asked.Author == "" && client.username == "" {
				asked.Author = variable(c.environ, "USER")
			}
			return acknowledge(cmd, c, client, ids[0], asked)
		},
	}
	cmd.Flags().StringVar(&asked.Note, "note", "", "`TEXT` for other operators")
	cmd.Flags().StringVar(&asked.Author, "author", "", "your `NAME` (default: the authenticated user, else $USER)")
	daemon.register(cmd)
	explain(cmd, section{"What to say", []string{"note", "author"}}, daemonSection)
	return cmd
}

// incidentID matches the ids of incidents. Any other text could address another path of
// the API.
var incidentID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)

// incidentArgument demands the id of one incident.
func incidentArgument(_ *cobra.Command, ids []string) error {
	switch {
	case len(ids) == 0:
		return errors.New("the id of an incident is missing (see: stickwatch history)")
	case len(ids) > 1:
		return fmt.Errorf("there are %d incidents: give one", len(ids))
	case !incidentID.MatchString(ids[0]):
		return fmt.Errorf("%q is not the id of an incident (see: stickwatch history)", render.CleanName(ids[0]))
	}
	return nil
}

func acknowledge(cmd *cobra.Command, c console, client *apiClient, id string, asked acknowledgeRequest) error {
	var i wire.Incident
	err := client.call(cmd.Context(), http.MethodPost, "/api/v1/incidents/"+id+"/acknowledge", asked, &i)
	if refused, ok := errors.AsType[apiError](err); ok && refused.status == http.StatusNotFound {
		err = fmt.Errorf("there is no open incident %q (see: stickwatch history)", id)
	}
	if err != nil {
		return exitError{exitFinding, err}
	}
	duration := (time.Duration(i.DurationMS) * time.Millisecond).Round(time.Second)
	_, err = fmt.Fprintf(c.out, "%s: acknowledged after %s: %s\n", render.CleanName(i.Cluster), duration, render.CleanName(i.Summary))
	return err
}
