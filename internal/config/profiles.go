package config

import (
	"cmp"
	"regexp"
	"slices"

	"stickwatch/probes"
)

// defaultProfile is the profile of a cluster without one.
const defaultProfile = "generic"

// A Profile has the defaults of a cluster of one kind of application, so that a file needs
// only addresses, and what recognises such an application.
type Profile struct {
	Name     string
	About    string // the applications, for people
	FromDocs bool   // written from the product's documentation, never tried with the product
	Proof    Proof  // what an answer of the session page must show; "": no answer recognises the profile
	Cookie   Cookie // the session cookie; zero: any

	// defaults use the wire structs: a file can contain anything that a profile contains.
	defaults wireCluster
}

// A Proof is a value that an answer must show to recognise a profile.
type Proof string

// The proofs, by the keys of the session.
const (
	ProofNode  Proof = "node"
	ProofID    Proof = "id"
	ProofStore Proof = "store"
)

// A Cookie recognises the session cookie of a product. Both are regular expressions.
type Cookie struct {
	Name  string
	Value string // "": any
}

// Matches reports whether a cookie is the session cookie of the product. The zero value
// matches none.
func (c Cookie) Matches(name, value string) bool {
	return c.Name != "" && regexp.MustCompile(c.Name).MatchString(name) && regexp.MustCompile(c.Value).MatchString(value)
}

// Profiles returns all profiles, in the order in which to try whether they fit.
func Profiles() []Profile { return slices.Clone(profiles) }

// ProfileNamed returns the profile of a name. It returns false if there is none.
func ProfileNamed(name string) (Profile, bool) {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return profiles[i], true
}

// Path returns the path of the page that opens a session; "": the profile has none.
func (p Profile) Path() string { return deref(p.defaults.Session.Path) }

// Policy returns the guarantee about sessions.
func (p Profile) Policy() probes.Policy { return probes.Policy(p.defaults.Session.Policy) }

// Writes reports whether the page stores values.
func (p Profile) Writes() bool { return deref(p.defaults.Session.Write) != "" }

// Method returns the balancing method that the product's documentation requires; "": none.
func (p Profile) Method() probes.Method { return probes.Method(p.defaults.Balancer.Method) }

// ProfileNames returns the names of the profiles, the default first.
func ProfileNames() []string {
	var names []string
	for _, p := range profiles {
		if p.Name != defaultProfile {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return append([]string{defaultProfile}, names...)
}

// withProfile returns w with defaults of its profile, key by key; an extractor is taken
// whole.
func (w wireCluster) withProfile() wireCluster {
	w.Profile = cmp.Or(w.Profile, defaultProfile)
	found, _ := ProfileNamed(w.Profile) // the decoder has reported an unknown name
	p := found.defaults
	w.Balancer.Method = cmp.Or(w.Balancer.Method, p.Balancer.Method)
	w.Balancer.MaxFails = cmp.Or(w.Balancer.MaxFails, p.Balancer.MaxFails)
	w.Balancer.FailTimeout = cmp.Or(w.Balancer.FailTimeout, p.Balancer.FailTimeout)
	w.Session = w.Session.or(p.Session)
	w.Status.Path = cmp.Or(w.Status.Path, p.Status.Path)
	if w.Status.Settings == nil {
		w.Status.Settings = p.Status.Settings
	}
	w.Handshake.Path = cmp.Or(w.Handshake.Path, p.Handshake.Path)
	w.Handshake.Kind = cmp.Or(w.Handshake.Kind, p.Handshake.Kind)
	w.Version = cmp.Or(w.Version, p.Version)
	if w.Pages == nil {
		w.Pages = p.Pages
	}
	return w
}

// or returns w with defaults from p.
func (w wireSession) or(p wireSession) wireSession {
	w.Path = cmp.Or(w.Path, p.Path)
	w.Policy = cmp.Or(w.Policy, p.Policy, string(probes.PolicySticky))
	w.Timeout = cmp.Or(w.Timeout, p.Timeout)
	w.Node = cmp.Or(w.Node, p.Node)
	w.ID = cmp.Or(w.ID, p.ID)
	w.Store = cmp.Or(w.Store, p.Store)
	w.Write = cmp.Or(w.Write, p.Write)
	w.Read = cmp.Or(w.Read, p.Read)
	w.Charset = cmp.Or(w.Charset, p.Charset)
	return w
}
