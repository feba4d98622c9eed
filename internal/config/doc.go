// Package config converts stickwatch.yml to clusters and settings of the daemon.
//
// All mistakes of a file are reported at once, each with file, line, column, key and
// the expected value. Unknown keys are errors, because an ignored misspelt key would
// leave something unmonitored.
//
// A file passes four stages: YAML is parsed to a tree (document.go); the tree is
// decoded into the wire structs, whose comments are the manual (decode.go, wire*.go); a
// profile adds defaults (profiles.go); and the result is built (build*.go). The flags
// of `probe` enter at the first stage, so the same rules apply to them.
package config
