package build

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"golang.org/x/sys/unix"
)

// setting performs an instruction that changes no files, only how the image is
// to be run, and returns it with its variables filled in.
func (s *stage) setting(c instructions.Command) (step string, err error) {
	config := &s.config.Config
	switch c := c.(type) {
	case *instructions.EnvCommand:
		return s.setEnv(c)
	case *instructions.LabelCommand:
		return s.setLabels(c)
	case *instructions.MaintainerCommand:
		s.config.Author = c.Maintainer
		return "MAINTAINER " + c.Maintainer, nil
	case *instructions.CmdCommand:
		config.Cmd, s.command = s.commandLine(c.ShellDependantCmdLine), true
		return "CMD " + list(config.Cmd), nil
	case *instructions.EntrypointCommand:
		config.Entrypoint = s.commandLine(c.ShellDependantCmdLine)
		if !s.command {
			config.Cmd = nil // the base image's was meant for another program
		}
		return "ENTRYPOINT " + list(config.Entrypoint), nil
	case *instructions.ShellCommand:
		config.Shell = c.Shell
		return "SHELL " + list(c.Shell), nil
	case *instructions.UserCommand:
		config.User = c.User
		return "USER " + c.User, nil
	case *instructions.VolumeCommand:
		return s.setVolumes(c)
	case *instructions.ExposeCommand:
		return s.setPorts(c)
	case *instructions.StopSignalCommand:
		config.StopSignal = c.Signal
		return "STOPSIGNAL " + c.Signal, checkSignal(c.Signal)
	case *instructions.HealthCheckCommand:
		return s.setHealth(c)
	case *instructions.OnbuildCommand:
		config.OnBuild = append(config.OnBuild, c.Expression)
		return "ONBUILD " + c.Expression, nil
	}
	return "", unsupported.errorf("%s: cutaway does not have this instruction", strings.ToUpper(c.Name()))
}

// list is the exec form of a command.
func list(words []string) string {
	var text strings.Builder
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	_ = out.Encode(words) // strings can always be written
	return strings.TrimSpace(text.String())
}

func (s *stage) setEnv(c *instructions.EnvCommand) (string, error) {
	step := "ENV"
	for _, kv := range c.Env {
		s.config.Config.Env = slices.DeleteFunc(s.config.Config.Env, func(e string) bool { return strings.HasPrefix(e, kv.Key+"=") })
		s.config.Config.Env = append(s.config.Config.Env, kv.Key+"="+kv.Value)
		step += " " + kv.Key + "=" + kv.Value
	}
	return step, nil
}

func (s *stage) setLabels(c *instructions.LabelCommand) (string, error) {
	step := "LABEL"
	labels := map[string]string{}
	maps.Copy(labels, s.config.Config.Labels)
	for _, kv := range c.Labels {
		labels[kv.Key] = kv.Value
		step += " " + kv.Key + "=" + kv.Value
	}
	s.config.Config.Labels = labels
	return step, nil
}

func (s *stage) setVolumes(c *instructions.VolumeCommand) (string, error) {
	if s.config.Config.Volumes == nil {
		s.config.Config.Volumes = map[string]struct{}{}
	}
	for _, v := range c.Volumes {
		if v = strings.TrimSpace(v); v == "" {
			return "", unreadable.errorf("VOLUME: an empty name is no place")
		}
		s.config.Config.Volumes[v] = struct{}{}
	}
	return "VOLUME " + list(c.Volumes), nil
}

// setPorts reads "80", "80/udp" and "8000-8010".
func (s *stage) setPorts(c *instructions.ExposeCommand) (string, error) {
	step := "EXPOSE"
	if s.config.Config.ExposedPorts == nil {
		s.config.Config.ExposedPorts = map[string]struct{}{}
	}
	for _, text := range c.Ports {
		words, err := s.words(text)
		if err != nil {
			return "", unreadable.about(err)
		}
		for _, word := range words {
			step += " " + word
			if err := s.setPort(word); err != nil {
				return "", err
			}
		}
	}
	return step, nil
}

func (s *stage) setPort(word string) error {
	numbers, protocol, named := strings.Cut(strings.ToLower(word), "/")
	if !named {
		protocol = "tcp"
	}
	first, last, isRange := strings.Cut(numbers, "-")
	if !isRange {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || to < from || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return unreadable.errorf("EXPOSE: %q is no port: 80, 80/udp or 8000-8010/tcp are", word)
	}
	for port := from; port <= to; port++ {
		s.config.Config.ExposedPorts[fmt.Sprintf("%d/%s", port, protocol)] = struct{}{}
	}
	return nil
}

// checkSignal takes what stop takes: a number, or a name with or without SIG.
func checkSignal(name string) error {
	number, err := strconv.Atoi(name)
	upper := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if err == nil && number > 0 && number <= 64 || unix.SignalNum(upper) != 0 || strings.HasPrefix(upper, "SIGRTM") {
		return nil
	}
	return unreadable.errorf("STOPSIGNAL: %q is no signal", name)
}

func (s *stage) setHealth(c *instructions.HealthCheckCommand) (string, error) {
	h := c.Health
	if h.StartInterval != 0 {
		return "", unsupported.errorf("HEALTHCHECK --start-interval: cutaway cannot keep it in an image; leave it out")
	}
	s.config.Config.Healthcheck = &v1.HealthConfig{
		Test: h.Test, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries,
	}
	return fmt.Sprintf("HEALTHCHECK --interval=%v --timeout=%v --start-period=%v --retries=%d %s", h.Interval, h.Timeout, h.StartPeriod, h.Retries, list(h.Test)), nil
}

// absolute is a path of the image, seen from its working directory.
func (s *stage) absolute(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", s.config.Config.WorkingDir, name)
}
