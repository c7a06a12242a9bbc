package build

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cutaway/final/spec"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// stage is one stage while it is built.
type stage struct {
	*builder
	variables
	number  int
	image   Image          // so far
	config  *v1.ConfigFile // of the image, ours to change
	command bool           // this stage has a CMD of its own
}

// begin takes the base image, and does what it wants done with ONBUILD.
func (s *stage) begin(ctx context.Context, base Image) error {
	s.stand(base)
	triggers := s.config.Config.OnBuild
	s.config.Config.OnBuild = nil
	if _, ok := s.lookup("PATH"); !ok {
		s.config.Config.Env = append(s.config.Config.Env, spec.DefaultPath)
		s.env = s.config.Config.Env
	}
	if len(triggers) > 0 {
		s.Out(fmt.Sprintf("# Executing %d build trigger(s)\n", len(triggers)))
	}
	for _, text := range triggers {
		c, err := trigger(text)
		if err == nil {
			err = s.do(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("ONBUILD %s: %w", text, err)
		}
	}
	return nil
}

// stand makes an image the one that the next step stands on.
func (s *stage) stand(img Image) {
	s.image, s.config = img, img.Config.DeepCopy()
	s.env = s.config.Config.Env
	if img.ID != "" {
		s.Out(" ---> " + short(img.ID) + "\n")
	}
}

// short is how people see an ID.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	return id[:min(12, len(id))]
}

// do performs one instruction.
func (s *stage) do(ctx context.Context, c instructions.Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.expand(c); err != nil {
		return unreadable.about(err)
	}
	switch c := c.(type) {
	case *instructions.RunCommand:
		return s.run(ctx, c)
	case *instructions.CopyCommand:
		return s.copy(ctx, copying{
			SourcesAndDest: c.SourcesAndDest, name: "COPY", from: c.From, chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns, parents: c.Parents,
		})
	case *instructions.AddCommand:
		return s.copy(ctx, adding(c))
	case *instructions.WorkdirCommand:
		return s.workdir(ctx, c)
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			s.declare(arg.Key, arg.Value)
		}
		s.Out(" ---> " + short(s.image.ID) + "\n")
		return nil
	}
	step, err := s.setting(c)
	if err != nil {
		return err
	}
	return s.make(ctx, Key{Step: step}, s.Store)
}

// expand fills variables in, where the instruction has them.
func (s *stage) expand(c instructions.Command) error {
	if x, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := x.Expand(s.word); err != nil {
			return err
		}
	}
	if x, ok := c.(instructions.SupportsSingleWordExpansionRaw); ok {
		return x.ExpandRaw(s.text)
	}
	return nil
}

// make takes the image that is known to come of a step, or makes it.
func (s *stage) make(ctx context.Context, k Key, how func(context.Context, Draft) (Image, error)) error {
	if k.Parent = s.image.ID; k.Parent == "" {
		k.System = s.config.OS + "/" + s.config.Architecture + "/" + s.config.Variant
	}
	if img, ok := s.known(ctx, k); ok {
		s.Out(" ---> Using cache\n")
		s.stand(img)
		return nil
	}
	d := Draft{Parent: s.image.ID, Config: *s.config, Step: v1.History{CreatedBy: k.line(), Created: now(), Author: s.config.Author}}
	d.Config.Created, d.Config.Container, d.Config.DockerVersion = d.Step.Created, "", "" //nolint:staticcheck // a base image may still have it
	img, err := how(ctx, d)
	if err != nil {
		return err
	}
	if err := s.Cache.Put(Built{k, img.ID, d.Step.Created.Time}); err != nil {
		return err
	}
	s.stand(img)
	return nil
}

// line is what docker history shows of the step.
func (k Key) line() string {
	name, rest, _ := strings.Cut(k.Step, " ")
	if len(k.Args) == 0 {
		return k.Step
	}
	return fmt.Sprintf("%s |%d %s %s", name, len(k.Args), strings.Join(k.Args, " "), rest)
}

// shell is what shell forms are given to.
func (s *stage) shell() []string {
	if len(s.config.Config.Shell) > 0 {
		return slices.Clone(s.config.Config.Shell)
	}
	return []string{"/bin/sh", "-c"}
}

// line of a command: the words, or the shell with the text.
func (s *stage) commandLine(c instructions.ShellDependantCmdLine) []string {
	if !c.PrependShell {
		return c.CmdLine
	}
	return append(s.shell(), strings.Join(c.CmdLine, " "))
}
