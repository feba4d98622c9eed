package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"stickwatch/probes"
)

// A herald tells a stickwatch that serves of a deployment, so that it records it
// and is silent about the clusters meanwhile. That it cannot be reached holds up
// no deployment. A nil one tells nobody.
type herald struct {
	base     *url.URL // without credentials
	user     *url.Userinfo
	http     *http.Client
	warnings io.Writer
	open     []string // ids of the deployments that were begun
}

// heraldTimeout bounds what a daemon may take for an answer.
const heraldTimeout = 5 * time.Second

// newHerald returns one for the daemon at an address; nil for "". The error is of usage.
func newHerald(address, passwordFile string, c console) (*herald, error) {
	if address == "" {
		if passwordFile != "" {
			return nil, errors.New("--server-password-file is for --server: add that, or leave it out")
		}
		return nil, nil
	}
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("--server: want the URL of a stickwatch, such as http://127.0.0.1:9748")
	}
	d := &herald{user: base.User, warnings: c.err, http: &http.Client{
		Timeout:       heraldTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if passwordFile != "" {
		password, err := os.ReadFile(passwordFile)
		if err != nil {
			return nil, fmt.Errorf("--server-password-file: %w", err)
		}
		d.user = url.UserPassword(base.User.Username(), strings.TrimRight(string(password), "\r\n"))
	}
	bare := *base
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	d.base = &bare
	return d, nil
}

// begin tells of a deployment of each cluster. Failures are warnings.
func (d *herald) begin(ctx context.Context, clusters []*probes.Cluster, what string) {
	if d == nil {
		return
	}
	for _, c := range clusters {
		var begun struct {
			ID string `json:"id"`
		}
		asked := map[string]string{"cluster": c.Name, "name": what}
		if err := d.post(ctx, d.base.JoinPath("api/v1/deployments"), asked, &begun); err != nil {
			d.warn(c.Name, "is not recorded there, and not silenced", err)
			continue
		}
		d.open = append(d.open, begun.ID)
	}
}

// end tells that the deployments are over. It does so even when the program is
// about to be interrupted: a cluster that stays silenced would be worse.
func (d *herald) end() {
	if d == nil {
		return
	}
	for _, id := range d.open {
		at := d.base.JoinPath("api/v1/deployments", url.PathEscape(id), "end")
		if err := d.post(context.Background(), at, nil, nil); err != nil {
			d.warn(id, "is not ended there, and still silenced", err)
		}
	}
}

func (d *herald) warn(what, outcome string, err error) {
	fmt.Fprintf(d.warnings, "stickwatch: --server: the deployment of %s %s: %s\n", name(what), outcome, prose(err.Error()))
}

// post sends JSON and reads the JSON that comes back, unless into is nil.
func (d *herald) post(ctx context.Context, to *url.URL, body, into any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(content))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "stickwatch")
	if d.user != nil {
		password, _ := d.user.Password()
		req.SetBasicAuth(d.user.Username(), password)
	}
	resp, err := d.http.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return err
	}
	defer resp.Body.Close()
	answer := io.LimitReader(resp.Body, maxReply)
	if resp.StatusCode/100 != 2 {
		return refusal(resp.Status, answer)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer).Decode(into)
}

// maxReply bounds what is read of a daemon's answer, in bytes.
const maxReply = 64 << 10

// refusal is why a daemon did not do as asked.
func refusal(status string, answer io.Reader) error {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.NewDecoder(answer).Decode(&problem) == nil && problem.Detail != "" {
		return fmt.Errorf("%s: %s", status, problem.Detail)
	}
	return errors.New(status)
}
