package build

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// changing are the instructions that only say how an image is run (moby,
// builder/dockerfile/builder.go, validCommitCommands).
var changing = []string{
	"cmd", "entrypoint", "env", "expose", "healthcheck", "label", "onbuild", "stopsignal", "user", "volume", "workdir",
}

// Change applies instructions of a Dockerfile, one a line, to the way an image is
// run: --change of commit and import. The error is an *Error.
func Change(config v1.Config, lines []string) (v1.Config, error) {
	s := &stage{variables: variables{escape: '\\'}, config: (&v1.ConfigFile{Config: config}).DeepCopy()}
	for _, line := range lines {
		if err := s.change(line); err != nil {
			return config, unreadable.about(fmt.Errorf("--change %q: %w", line, err))
		}
	}
	return s.config.Config, nil
}

func (s *stage) change(line string) error {
	file, err := parser.Parse(strings.NewReader(line))
	if err != nil {
		return inner(err)
	}
	for _, node := range file.AST.Children {
		c, err := instructions.ParseCommand(node)
		if err != nil {
			return inner(err)
		}
		if !slices.Contains(changing, strings.ToLower(c.Name())) {
			return fmt.Errorf("%s is not a valid change command", strings.ToUpper(c.Name()))
		}
		s.env = s.config.Config.Env
		if err := s.expand(c); err != nil {
			return err
		}
		if dir, ok := c.(*instructions.WorkdirCommand); ok {
			s.config.Config.WorkingDir = s.absolute(dir.Path)
		} else if _, err := s.setting(c); err != nil {
			return err
		}
	}
	return nil
}
