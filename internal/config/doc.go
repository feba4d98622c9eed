// Package config turns stickwatch.yml into clusters to probe and settings of
// the daemon.
//
// A configuration is read by somebody in a hurry, so a mistake is told by its
// file, line, column and key, with what was expected; and all mistakes of a
// file are told at once, because one at a time is a guessing game. What is
// unknown is an error: a misspelt key that is ignored would be a monitor that
// does not watch.
//
// The file passes four stages, each in files of its own: YAML becomes a tree
// (document.go); the tree becomes the wire structs, whose comments are the
// manual (decode.go, wire*.go); a profile fills in what they leave out
// (profiles.go); and they are built into what the rest of stickwatch takes
// (build*.go). The flags of `probe` enter at the first stage, so that they are
// held to the same rules.
package config
