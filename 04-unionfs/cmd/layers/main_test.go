package main

import (
	"testing"

	"cutaway/chapters/lab"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(lab.Wrap(m, lab.RootOrSandbox), map[string]func(){"layers": main})
}

func TestLayers(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}
