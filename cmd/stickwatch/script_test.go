package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestX(t *testing.T) { _ = testscript.Params{} }
