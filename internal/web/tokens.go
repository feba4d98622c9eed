package web

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// tokens are secrets by which somebody may change something without being a user:
// programs send one as "Authorization: Bearer", browsers have one in a cookie, for
// which they exchange the code of a link. Only hashes are kept, and in memory
// alone: a restart forgets them.
type tokens struct {
	now func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]time.Time // their ends
	codes  map[[sha256.Size]byte]code
}

// A code of a link gives a browser a token.
type code struct {
	end    time.Time
	length time.Duration // for how long the token is good
}

// Bounds of tokens.
const (
	maxTokens    = 1000 // at a time, of each kind
	longestToken = 90 * 24 * time.Hour
	linkLength   = 10 * time.Minute // proxies and browsers write links down
	tokenCookie  = "stickwatch_token"
)

var errManyTokens = errors.New("too many tokens are in use: a restart forgets them")

func newTokens(now func() time.Time) *tokens {
	return &tokens{now: now, tokens: map[[sha256.Size]byte]time.Time{}, codes: map[[sha256.Size]byte]code{}}
}

// add makes a token that is good for a time.
func (t *tokens) add(length time.Duration) (token string, end time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if len(t.tokens) >= maxTokens {
		return "", end, errManyTokens
	}
	token, end = rand.Text(), t.now().Add(length)
	t.tokens[sha256.Sum256([]byte(token))] = end
	return token, end, nil
}

// addCode makes the code of a link, which is good for a time, as is the token that
// a browser gets for it.
func (t *tokens) addCode(link, token time.Duration) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if len(t.codes) >= maxTokens {
		return "", errManyTokens
	}
	text := rand.Text()
	t.codes[sha256.Sum256([]byte(text))] = code{t.now().Add(link), token}
	return text, nil
}

// exchange returns for how long the token for a code is good; 0: there is no such
// code any more.
func (t *tokens) exchange(text string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	return t.codes[sha256.Sum256([]byte(text))].length
}

// grant reports whether a request has a token.
func (t *tokens) grant(r *http.Request) bool {
	sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		cookie, err := r.Cookie(tokenCookie)
		if err != nil {
			return false
		}
		sent = cookie.Value
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now().Before(t.tokens[sha256.Sum256([]byte(sent))])
}

// forget drops what has ended.
func (t *tokens) forget() {
	now := t.now()
	for hash, end := range t.tokens {
		if !now.Before(end) {
			delete(t.tokens, hash)
		}
	}
	for hash, c := range t.codes {
		if !now.Before(c.end) {
			delete(t.codes, hash)
		}
	}
}
