package probes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A FormReader finds on a page the form that has fields for what is wanted.
type FormReader interface {
	// ReadForm returns a FormFault if there is no such form, or if it cannot be sent.
	ReadForm(Document, FormFields) (Form, error)
}

// FormFields are the fields that a form must have.
type FormFields struct {
	User, Password           bool
	UserField, PasswordField string // "": any that may be it

	Accept func(Form) bool // whether it may be this form; nil: any
}

// A Form is a form of a page.
type Form struct {
	Action                   string      // as on the page; "": the page itself
	Base                     string      // to which the page's addresses are relative (<base href>); "": the page
	Fields                   []FormField // that a browser sends unchanged, such as hidden ones
	UserField, PasswordField string
}

// A FormFault is the reason why the form of a page cannot be sent.
type FormFault string

// The faults.
const (
	FormMissing   FormFault = "missing"   // no form has the fields
	FormTooLarge  FormFault = "too_large" // too many or too long fields
	FormByGet     FormFault = "by_get"    // the password would be part of the address
	FormEncoded   FormFault = "encoded"   // it is sent in an encoding such as multipart/form-data
	FormElsewhere FormFault = "away"      // it would be sent to another host
	TokenMissing  FormFault = "no_token"  // the page has no token against cross-site requests
)

// Error implements error.
func (f FormFault) Error() string { return "form: " + string(f) }

// A FormField is a field of a form with its value.
type FormField struct{ Name, Value string }

// A formRequest is a form that is ready to be sent.
type formRequest struct {
	url         *url.URL
	contentType string
	header      http.Header
	body        []byte
	page        *url.URL // with the form; nil: none
}

// fill fills in the form of the step. Nothing is sent to another host than the target.
func (s *loginSequence) fill() (*formRequest, LoginProblem) {
	form := Form{UserField: s.step.UserField, PasswordField: s.step.PasswordField}
	if s.step.Forms != nil {
		var err error
		form, err = s.step.Forms.ReadForm(s.page, FormFields{
			User: s.step.User != "", Password: s.step.Password != "", UserField: s.step.UserField, PasswordField: s.step.PasswordField, Accept: s.accept,
		})
		if err != nil {
			s.fault, _ = errors.AsType[FormFault](err)
			return nil, LoginNoForm
		}
	}
	out := &formRequest{page: s.page.url, header: http.Header{}}
	if out.url = s.target(form); out.url == nil {
		s.fault = FormElsewhere
		return nil, LoginElsewhere
	}
	if s.step.Token != nil {
		token, ok := s.step.Token.Extract(s.page)
		if !ok {
			s.fault = TokenMissing
			return nil, LoginNoForm
		}
		if s.step.TokenHeader != "" {
			out.header.Set(s.step.TokenHeader, token)
		}
		if s.step.TokenField != "" {
			form.set(s.step.TokenField, token)
		}
	}
	for _, f := range s.step.Fields {
		form.set(f.Name, f.Value)
	}
	if s.step.User != "" {
		form.set(form.UserField, s.step.User)
	}
	if s.step.Password != "" {
		form.set(form.PasswordField, s.step.Password)
	}
	out.contentType, out.body = form.encode(s.step.JSON)
	return out, ""
}

// target returns where a form is sent: to the configured path, or where its page says if that
// is on the target; nil: it is not. A page that was changed cannot redirect a password.
func (s *loginSequence) target(form Form) *url.URL {
	c := s.canary.client
	if s.step.Action != "" || s.step.Forms == nil {
		u, _ := c.URL(cmp.Or(s.step.Action, s.step.Page))
		return u
	}
	from := s.page.url
	if base, err := from.Parse(form.Base); err == nil && form.Action != "" && c.owns(base) {
		from = base // one on another host is wrong, or meant for users at another address
	}
	to, err := from.Parse(form.Action)
	if err != nil {
		return nil
	}
	if !c.owns(to) {
		s.host = Clean(to.Scheme+"://"+to.Host, MaxValue)
		return nil
	}
	to.Scheme, to.Host, to.User, to.Fragment = c.target.URL.Scheme, c.target.URL.Host, nil, ""
	return to
}

// set sets a field, in place of one that the form has.
func (f *Form) set(name, value string) {
	at := slices.IndexFunc(f.Fields, func(have FormField) bool { return have.Name == name })
	if at < 0 {
		f.Fields = append(f.Fields, FormField{name, value})
		return
	}
	f.Fields[at].Value = value
}

// encode returns the body of the form and its type.
func (f *Form) encode(asJSON bool) (contentType string, body []byte) {
	if asJSON {
		object := make(map[string]string, len(f.Fields))
		for _, field := range f.Fields {
			object[field.Name] = field.Value
		}
		body, _ = json.Marshal(object) // strings give no error
		return "application/json", body
	}
	var text strings.Builder
	for i, field := range f.Fields { // in the order of the page, as browsers do
		if i > 0 {
			text.WriteByte('&')
		}
		text.WriteString(url.QueryEscape(field.Name) + "=" + url.QueryEscape(field.Value))
	}
	return "application/x-www-form-urlencoded", []byte(text.String())
}

// request returns the HTTP request of the form, with the headers by which applications
// recognise that their own page sends it.
func (f *formRequest) request(ctx context.Context, c *Client) (*http.Request, error) {
	req, err := c.newRequest(ctx, http.MethodPost, f.url)
	if err != nil {
		return nil, err
	}
	req.Body, req.ContentLength = http.NoBody, int64(len(f.body))
	if len(f.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(f.body))
	}
	host := f.url.Host
	if c.target.Host != "" {
		host = c.target.Host
	}
	maps.Copy(req.Header, f.header)
	req.Header.Set("Content-Type", f.contentType)
	req.Header.Set("Origin", f.url.Scheme+"://"+host)
	if f.page != nil {
		req.Header.Set("Referer", f.url.Scheme+"://"+host+f.page.EscapedPath())
	}
	return req, nil
}
