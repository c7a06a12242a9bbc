package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// heredocDir is where a RUN finds the script of a heredoc that begins with "#!".
const heredocDir = "/dev/pipes"

// run is RUN.
func (s *stage) run(ctx context.Context, c *instructions.RunCommand) error {
	if s.image.ID == "" {
		return unreadable.errorf("RUN: nothing is in the image yet that could run")
	}
	cmd := Command{}
	if err := s.runFlags(&cmd, c); err != nil {
		return err
	}
	if err := s.script(&cmd, c); err != nil {
		return err
	}
	args := s.arguments()
	cmd.Env = append(args, s.proxies()...)
	return s.make(ctx, Key{Step: cmd.step(), Args: args}, func(ctx context.Context, d Draft) (Image, error) {
		return s.Run(ctx, d, cmd)
	})
}

// step is all that the result of a command depends on.
func (c Command) step() string {
	words := []string{"RUN"}
	if c.Network != "" {
		words = append(words, "--network="+c.Network)
	}
	for _, at := range slices.Sorted(maps.Keys(c.Tmpfs)) {
		words = append(words, "--mount=type=tmpfs,target="+at)
	}
	for _, m := range c.Caches {
		words = append(words, "--mount=type=cache,target="+m.Path)
	}
	if c.shell {
		words = append(words, c.Args...) // as a person would write it
	} else {
		words = append(words, list(c.Args))
	}
	for _, f := range c.Files {
		words = append(words, "<<"+f.Path+"\n"+f.Content)
	}
	return strings.Join(words, " ")
}

// script is the command, with what heredocs have put in.
func (s *stage) script(cmd *Command, c *instructions.RunCommand) error {
	line := c.ShellDependantCmdLine
	cmd.shell = line.PrependShell
	if len(c.Files) == 0 {
		cmd.Args = s.commandLine(line)
		return nil
	}
	if len(c.CmdLine) != 1 || !c.PrependShell {
		return unreadable.about(errors.New("RUN: a heredoc needs the shell form"))
	}
	first := c.Files[0]
	if parser.MustParseHeredoc(c.CmdLine[0]) == nil { // more than the heredoc alone: the shell reads it
		text := c.CmdLine[0]
		for _, f := range c.Files {
			text += "\n" + f.Data + f.Name
		}
		cmd.Args = append(s.shell(), text)
		return nil
	}
	text := first.Data
	if first.Chomp {
		text = parser.ChompHeredocContent(text)
	}
	if !strings.HasPrefix(text, "#!") {
		cmd.Args = append(s.shell(), text)
		return nil
	}
	file := File{Path: path.Join(heredocDir, first.Name), Content: text}
	cmd.Args, cmd.Files, cmd.shell = []string{file.Path}, []File{file}, false
	return nil
}

// runFlags are what stands between RUN and its command.
func (s *stage) runFlags(cmd *Command, c *instructions.RunCommand) error {
	switch mode := instructions.GetNetwork(c); mode {
	case instructions.NetworkDefault:
	case instructions.NetworkNone, instructions.NetworkHost:
		cmd.Network = mode
	default:
		return unsupported.errorf("RUN --network=%s: default, none and host are what there is", mode)
	}
	if mode := instructions.GetSecurity(c); mode != instructions.SecuritySandbox {
		return unsupported.errorf("RUN --security=%s: a container of a build has no more rights than others", mode)
	}
	if len(instructions.GetDevices(c)) > 0 {
		return unsupported.errorf("RUN --device: cutaway gives a build no devices")
	}
	for _, m := range instructions.GetMounts(c) {
		if err := s.mount(cmd, m); err != nil {
			return err
		}
	}
	return nil
}

// mount is one --mount of a RUN.
func (s *stage) mount(cmd *Command, m *instructions.Mount) error {
	at := s.absolute(m.Target)
	switch {
	case m.Type == instructions.MountTypeTmpfs:
		size := ""
		if m.SizeLimit > 0 {
			size = "size=" + strconv.FormatInt(m.SizeLimit, 10)
		}
		if cmd.Tmpfs == nil {
			cmd.Tmpfs = map[string]string{}
		}
		cmd.Tmpfs[at] = size
		return nil
	case m.Type == instructions.MountTypeCache && m.From == "" && m.Mode == nil && m.UID == nil && m.GID == nil:
		id := m.CacheID
		if id == "" {
			id = at
		}
		sum := sha256.Sum256([]byte(id))
		cmd.Caches = append(cmd.Caches, Mount{Volume: "build-cache-" + hex.EncodeToString(sum[:6]), Path: at, ReadOnly: m.ReadOnly})
		return nil
	case m.Type == instructions.MountTypeCache:
		return unsupported.errorf("RUN --mount=type=cache: id, target and readonly are what cutaway has of its options")
	}
	return unsupported.errorf("RUN --mount=type=%s: cutaway has tmpfs and cache only; COPY the files and remove them in the same RUN, or use another stage", m.Type)
}
