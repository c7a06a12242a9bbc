package runtime

import (
	"testing"

	"cutaway/chapters/lab"
)

func TestMain(m *testing.M) { lab.Main(m, lab.Plain) }
