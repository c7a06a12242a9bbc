package engine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	daemon "cutaway/07-daemon"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// change applies --change of commit and import: those instructions of a
// Dockerfile that say how an image is run (moby, builder/dockerfile/builder.go,
// validCommitCommands). BuildKit's own parser reads them.
func change(c *container.Config, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	file, err := parser.Parse(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return badChange.About(daemon.Errorf(daemon.Invalid, "%w", err))
	}
	// What the caller still uses must not change with the copy.
	c.Env, c.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	for _, node := range file.AST.Children {
		instruction, err := instructions.ParseInstruction(node)
		if err == nil {
			err = expand(instruction, c.Env)
		}
		if err == nil {
			err = changeOne(c, instruction)
		}
		if err != nil {
			return badChange.About(daemon.Errorf(daemon.Invalid, "%s: %w", node.Original, err))
		}
	}
	return nil
}

// expand puts the values of variables in.
func expand(instruction any, env []string) error {
	words, ok := instruction.(instructions.SupportsSingleWordExpansion)
	if !ok {
		return nil
	}
	lex, vars := shell.NewLex('\\'), shell.EnvsFromSlice(env)
	return words.Expand(func(word string) (string, error) {
		value, _, err := lex.ProcessWord(word, vars)
		return value, err
	})
}

func changeOne(c *container.Config, instruction any) error {
	switch i := instruction.(type) {
	case *instructions.CmdCommand:
		c.Cmd = commandLine(c, i.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		c.Entrypoint = commandLine(c, i.ShellDependantCmdLine)
	case *instructions.EnvCommand:
		for _, kv := range i.Env {
			c.Env = slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, kv.Key+"=") })
			c.Env = append(c.Env, kv.Key+"="+kv.Value)
		}
	case *instructions.ExposeCommand:
		return expose(c, i.Ports)
	case *instructions.HealthCheckCommand:
		c.Healthcheck = i.Health
	case *instructions.LabelCommand:
		for _, kv := range i.Labels {
			c.Labels = with(c.Labels, kv.Key, kv.Value)
		}
	case *instructions.OnbuildCommand:
		c.OnBuild = append(c.OnBuild, i.Expression)
	case *instructions.StopSignalCommand:
		_, err := parseSignal(i.Signal)
		c.StopSignal = i.Signal
		return err
	case *instructions.UserCommand:
		c.User = i.User
	case *instructions.VolumeCommand:
		for _, v := range i.Volumes {
			c.Volumes = with(c.Volumes, v, struct{}{})
		}
	case *instructions.WorkdirCommand:
		if !path.IsAbs(i.Path) {
			i.Path = path.Join("/", c.WorkingDir, i.Path)
		}
		c.WorkingDir = path.Clean(i.Path)
	case instructions.Command:
		return fmt.Errorf("%s is not a valid change command", strings.ToUpper(i.Name()))
	default:
		return fmt.Errorf("not a valid change command")
	}
	return nil
}

// commandLine is a JSON array as it stands, and anything else a line for a shell.
func commandLine(c *container.Config, line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	interpreter := c.Shell
	if len(interpreter) == 0 {
		interpreter = []string{"/bin/sh", "-c"}
	}
	return append(slices.Clone(interpreter), line.CmdLine...)
}

func expose(c *container.Config, ports []string) error {
	for _, text := range ports {
		ports, err := network.ParsePortRange(text)
		if err != nil {
			return err
		}
		for port := range ports.All() {
			c.ExposedPorts = with(c.ExposedPorts, port, struct{}{})
		}
	}
	return nil
}

// with is a map with one more entry. The old one stays as it is: others have it.
func with[M ~map[K]V, K comparable, V any](old M, key K, value V) M {
	all := maps.Clone(old)
	if all == nil {
		all = M{}
	}
	all[key] = value
	return all
}
