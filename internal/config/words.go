package config

import (
	"fmt"
	"strings"
)

// unknown returns the message about an unknown word, with a suggestion.
func unknown(what, word string, known []string) string {
	hint := ""
	if near := suggestion(word, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", near)
	}
	return fmt.Sprintf("unknown %s %s%s: expected %s", what, quote(word), hint, list(known))
}

// list formats "a", or "one of a, b, c".
func list(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// suggestion returns the known word that word is most likely a typing error of; "" if none
// is close: at most a third of its letters and one more may be wrong, and not all of the
// known word.
func suggestion(word string, known []string) string {
	const maxLength = 40 // known words are shorter, so comparing more only costs time
	best, bestDistance := "", len(word)/3+2
	if len(word) > maxLength {
		return ""
	}
	for _, k := range known {
		d := distance(normalize(word), normalize(k))
		if d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// normalize removes differences in case and in separators of words.
func normalize(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// distance returns the number of bytes to insert, delete, replace or swap with
// their neighbour to change a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// endWith appends an end to each word.
func endWith(words []string, end string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w + end
	}
	return out
}
