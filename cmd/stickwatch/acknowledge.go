package main

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/phrase"
	"stickwatch/internal/render"
	"stickwatch/internal/wire"
)

func newAcknowledge(c console) *cobra.Command {
	var daemon daemonFlags
	language := newLanguageFlag()
	var asked wire.AcknowledgeRequest
	cmd := &cobra.Command{
		Use:     "acknowledge [flags] INCIDENT",
		Aliases: []string{"ack"},
		Short:   "Say that you take care of an incident",
		Long: `acknowledge records who takes care of an open incident. The receivers that were
notified of it are told so. There are no more reminders, and a route with
escalate_after notifies nobody else. Receivers are still notified of what
happens and of the end. An acknowledgement ends when the incident becomes
critical. That of somebody else is replaced only with --take-over; all of them
stay in the timeline.

Exit status:
  0  the incident is acknowledged
  1  it is not open, or the daemon refused or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch acknowledge 20261101T071003123-1a2b3c4d --note "restarting Redis"`,
		Args:    incidentArgument,
		RunE: func(cmd *cobra.Command, ids []string) error {
			errs := []error{daemon.server.validate(cmd), language.usageError("language")}
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
			asked.Author = authorOf(c, client, asked.Author)
			return acknowledge(cmd, c, client, ids[0], asked, language.reader(daemon.configured))
		},
	}
	cmd.Flags().StringVar(&asked.Note, "note", "", "`TEXT` for other operators")
	cmd.Flags().StringVar(&asked.Author, "author", "", "your `NAME` (default: the authenticated user, else $USER)")
	cmd.Flags().BoolVar(&asked.TakeOver, "take-over", false, "replace the acknowledgement of somebody else")
	language.register(cmd)
	daemon.register(cmd)
	explain(cmd, section{"What to say", []string{"note", "author", "take-over"}}, languageSection, daemonSection)
	return cmd
}

func newNote(c console) *cobra.Command {
	var daemon daemonFlags
	language := newLanguageFlag()
	var asked wire.NoteRequest
	cmd := &cobra.Command{
		Use:   "note [flags] INCIDENT TEXT",
		Short: "Add a note to the timeline of an incident",
		Long: `note adds a note to the timeline of an incident, which may be resolved: what was
found, done and decided. Nobody is notified of it.

Exit status:
  0  the note was added
  1  there is no such incident, or the daemon refused or cannot be reached
  2  wrong usage`,
		Example: `  stickwatch note 20261101T071003123-1a2b3c4d "the disk of Redis was full"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := incidentArgument(cmd, args[:min(1, len(args))]); err != nil {
				return err
			}
			if len(args) != 2 || isEmptyValue(args[1]) {
				return errors.New("give the id of an incident and the text of the note, in quotes")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(daemon.server.validate(cmd), language.usageError("language")); err != nil {
				return err
			}
			if cmd.Flags().Changed("author") && isEmptyValue(asked.Author) {
				return emptyFlag("author")
			}
			client, err := daemon.client(cmd)
			if err != nil {
				return err
			}
			asked.Author, asked.Text = authorOf(c, client, asked.Author), args[1]
			i, err := changeIncident(cmd, client, args[0], "notes", "incident", asked)
			if err != nil {
				return err
			}
			reader := language.reader(daemon.configured)
			_, err = fmt.Fprintln(c.out, reader.Translate("%s: note added: %s", render.CleanName(i.Cluster), about(i, reader)))
			return err
		},
	}
	cmd.Flags().StringVar(&asked.Author, "author", "", "your `NAME` (default: the authenticated user, else $USER)")
	language.register(cmd)
	daemon.register(cmd)
	explain(cmd, section{"What to say", []string{"author"}}, languageSection, daemonSection)
	return cmd
}

// authorOf returns the author that a flag names; by default the user, unless the daemon
// authenticates one.
func authorOf(c console, client *apiClient, author string) string {
	if author == "" && client.username == "" {
		return variable(c.environ, "USER")
	}
	return author
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

func acknowledge(cmd *cobra.Command, c console, client *apiClient, id string, asked wire.AcknowledgeRequest, reader phrase.Reader) error {
	i, err := changeIncident(cmd, client, id, "acknowledge", "open incident", asked)
	if err != nil {
		return err
	}
	duration := (time.Duration(i.DurationMS) * time.Millisecond).Round(time.Second)
	_, err = fmt.Fprintln(c.out, reader.Translate("%s: acknowledged after %s: %s", render.CleanName(i.Cluster), duration, about(i, reader)))
	return err
}

// about returns the summary of an incident, which the API has in English, or the title of its
// cause in another language.
func about(i wire.Incident, reader phrase.Reader) string {
	if reader.Language == checks.Chinese {
		return render.CleanName(alerting.Chinese.Title(i.Code))
	}
	return render.CleanName(i.Summary)
}

// changeIncident sends a change of an incident and returns the incident. kind is what there
// is none of if the daemon does not find it.
func changeIncident(cmd *cobra.Command, client *apiClient, id, change, kind string, asked any) (i wire.Incident, err error) {
	err = client.call(cmd.Context(), http.MethodPost, "/api/v1/incidents/"+id+"/"+change, asked, &i)
	refused, _ := errors.AsType[apiError](err)
	switch refused.status {
	case http.StatusNotFound:
		err = fmt.Errorf("there is no %s %q (see: stickwatch history)", kind, id)
	case http.StatusConflict: // of acknowledge only
		err = errors.New(refused.detail + " (--take-over replaces it)")
	}
	if err != nil {
		return i, exitError{exitFinding, err}
	}
	return i, nil
}
