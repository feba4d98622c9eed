package main

import (
	"bytes"
	"encoding/json"
	"io"
)

// listFormats are the values of --output of what lists the past or silences.
var listFormats = []string{"table", "json"}

// headings are the first row of a table.
func headings(titles ...string) []span {
	row := make([]span, len(titles))
	for i, title := range titles {
		row[i] = span{dim, title}
	}
	return row
}

// writeJSON writes a value for programs, all at once.
func writeJSON(w io.Writer, value any) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}
