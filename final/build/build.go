package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Engine is what a build needs of an engine. Images go by their IDs; the ID ""
// is no image at all, FROM scratch.
type Engine interface {
	// Image finds an image and, unless o.Local is set, fetches one that is not here.
	Image(ctx context.Context, o ImageSpec) (Image, error)
	// View shows the files of an image, read-only, in a directory of the host,
	// until it is closed. Links in it lead anywhere: it must be looked at as by chroot(2).
	View(id string) (View, error)
	// Run runs a command in a container made of d.Parent, and stores what it has
	// changed as the image d. The error is an *ExitError if the command failed.
	// When ctx ends, the container is killed and removed.
	Run(ctx context.Context, d Draft, cmd Command) (Image, error)
	// Store stores the image d.
	Store(ctx context.Context, d Draft) (Image, error)
}

// ImageSpec says which image is meant.
type ImageSpec struct {
	Name     string // "alpine", "alpine:3.20", an ID
	Platform string // "" or "os/arch[/variant]"
	Local    bool   // do not fetch it
	Refresh  bool   // ask the registry for a newer one
}

// Image is an image as a build sees it.
type Image struct {
	ID     string
	Config *v1.ConfigFile // must not be changed
}

// View is a directory that shows an image.
type View struct {
	Dir   string
	Close func() error
}

// Draft is an image that is to be.
type Draft struct {
	Parent string        // ID of the image below
	Config v1.ConfigFile // without layers and history
	Step   v1.History    // one line more of the history
	Files  io.Reader     // changes to the files below, a tar archive; nil: none
}

// Command is the command of a RUN.
type Command struct {
	Args    []string
	Env     []string          // besides the image's
	Files   []File            // shown to it, and gone afterwards
	Tmpfs   map[string]string // place in memory, gone afterwards → mount options
	Caches  []Mount           // volumes that stay for the next build
	Network string            // "" = the build's; "none", "host"

	shell bool // the first of Args are a shell
}

// File is a script of a heredoc.
type File struct {
	Path    string // in the container
	Content string
}

// Mount is a volume of the engine's at a place in the container.
type Mount struct {
	Volume, Path string
	ReadOnly     bool
}

// Options says what to build.
type Options struct {
	Dockerfile *Dockerfile
	Context    string             // the directory of its files; "" = there is none
	Scratch    string             // a directory for what is fetched, the caller's to remove
	Target     string             // the stage to end with; "" = the last one
	Args       map[string]*string // --build-arg; nil = the variable had no value
	Labels     map[string]string
	Platform   string // of base images; "" = the host's
	Cache      *Cache
	NoCache    bool // do not look what is known
	Pull       bool // ask the registry for newer base images
	Out        func(text string)
}

// Build builds an image and returns its ID. What was built stays known, also if
// a later step fails. Errors about the Dockerfile or the context are *Error,
// *ExitError or *LineError, which says where.
func Build(ctx context.Context, e Engine, o Options) (string, error) {
	b := &builder{Engine: e, Options: o, images: map[int]Image{}, used: map[string]bool{}}
	id, err := b.build(ctx)
	if ctx.Err() != nil {
		return "", fmt.Errorf("the build was cancelled: %w", context.Cause(ctx))
	}
	return id, err
}

// builder is one build.
type builder struct {
	Engine
	Options
	global  variables
	images  map[int]Image // of the stages that are done
	used    map[string]bool
	step    int
	steps   int
	fetched []tree
}

func (b *builder) build(ctx context.Context) (id string, err error) {
	defer func() {
		for _, t := range b.fetched {
			err = errors.Join(err, t.close())
		}
	}()
	d := b.Dockerfile
	b.global = variables{escape: d.escape, given: b.Args, used: b.used}
	b.global.platform(b.Platform)
	if err := b.declareGlobals(); err != nil {
		return "", err
	}
	target := len(d.stages) - 1
	if b.Target != "" {
		var ok bool
		if target, ok = d.find(b.Target, len(d.stages)); !ok {
			return "", badTarget.errorf("target stage %q could not be found in %s", b.Target, d.name)
		}
	}
	need, err := d.needed(target, b.global.word)
	if err != nil {
		return "", err
	}
	last := &d.stages[target]
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		last.AddCommand(instructions.NewLabelCommand(name, b.Labels[name], true))
	}
	for i := range d.stages {
		if need[i] {
			b.steps += 1 + len(d.stages[i].Commands)
		}
	}
	b.steps += len(d.before)
	for i := range d.before {
		b.announce(fmt.Sprint(&d.before[i]))
	}
	for i := range target + 1 {
		if !need[i] {
			continue
		}
		if b.images[i], err = b.stage(ctx, i); err != nil {
			return "", err
		}
	}
	b.warnUnused()
	return b.images[target].ID, nil
}

// declareGlobals reads the ARGs before the first FROM.
func (b *builder) declareGlobals() error {
	for i := range b.Dockerfile.before {
		c := &b.Dockerfile.before[i]
		if err := c.Expand(b.global.word); err != nil {
			return atLine(b.Dockerfile.name, line(c.Location()), unreadable.about(err))
		}
		for _, arg := range c.Args {
			b.global.declare(arg.Key, arg.Value)
		}
	}
	return nil
}

// stage builds one stage.
func (b *builder) stage(ctx context.Context, n int) (Image, error) {
	from := b.Dockerfile.stages[n]
	s := &stage{builder: b, number: n, variables: b.global.inStage()}
	b.announce(from.SourceCode)
	at := line(from.Location)
	base, err := b.base(ctx, n)
	if err != nil {
		return Image{}, atLine(b.Dockerfile.name, at, err)
	}
	if err := s.begin(ctx, base); err != nil {
		return Image{}, atLine(b.Dockerfile.name, at, err)
	}
	for _, c := range from.Commands {
		b.announce(fmt.Sprint(c))
		if err := s.do(ctx, c); err != nil {
			return Image{}, atLine(b.Dockerfile.name, line(c.Location()), err)
		}
	}
	if s.image.ID == "" { // FROM scratch alone
		return Image{}, atLine(b.Dockerfile.name, at, unreadable.errorf("no image was made: there is nothing in this stage"))
	}
	return s.image, nil
}

// announce says which step begins.
func (b *builder) announce(text string) {
	b.step++
	b.Out(fmt.Sprintf("Step %d/%d : %s\n", b.step, b.steps, text))
}

// base is the image that a stage begins with.
func (b *builder) base(ctx context.Context, n int) (Image, error) {
	from := b.Dockerfile.stages[n]
	name, err := b.global.word(from.BaseName)
	if err != nil {
		return Image{}, unreadable.about(err)
	}
	platform, err := b.global.word(from.Platform)
	if err != nil {
		return Image{}, unreadable.about(err)
	}
	if platform == "" {
		platform = b.Platform
	}
	if name == "" {
		return Image{}, unreadable.errorf("base name (%s) should not be blank: a variable in it has no value; give it a default, or one with --build-arg", from.BaseName)
	}
	if i, ok := instructions.HasStage(b.Dockerfile.stages[:n], name); ok {
		return b.images[i], nil
	}
	if name == "scratch" {
		os, arch, _ := strings.Cut(b.global.get("TARGETPLATFORM"), "/")
		arch, variant, _ := strings.Cut(arch, "/")
		return Image{Config: &v1.ConfigFile{OS: os, Architecture: arch, Variant: variant}}, nil
	}
	return b.Image(ctx, ImageSpec{Name: name, Platform: platform, Refresh: b.Pull})
}

// known finds the image that an earlier build made in this place.
func (b *builder) known(ctx context.Context, k Key) (Image, bool) {
	if b.NoCache {
		return Image{}, false
	}
	id, ok := b.Cache.Get(k)
	if !ok {
		return Image{}, false
	}
	img, err := b.Image(ctx, ImageSpec{Name: id, Local: true})
	return img, err == nil
}

// warnUnused tells of build arguments that no ARG asked for.
func (b *builder) warnUnused() {
	var unused []string
	for name := range b.Args {
		if !b.used[name] && !predefined(name) {
			unused = append(unused, name)
		}
	}
	if slices.Sort(unused); len(unused) > 0 {
		b.Out(fmt.Sprintf("[Warning] One or more build-args %v were not consumed\n", unused))
	}
}

// now is when an image is made. Fractions of a second are kept: they tell the
// newest of two.
func now() v1.Time { return v1.Time{Time: time.Now().UTC()} }
