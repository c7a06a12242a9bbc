package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	images "cutaway/05-images"
	network "cutaway/06-network"
	daemon "cutaway/07-daemon"
	"cutaway/final/shim"

	"github.com/moby/moby/api/types/container"
	"golang.org/x/sys/unix"
)

// restore takes over what an earlier engine has left, however it ended:
//
//	the record says          its shim            then
//	(there is no record)     may have a process  a creation or removal was interrupted, or a start with --rm: remove the rest
//	created, exited          -                   a start may have been interrupted: undo it
//	running                  answers             go on watching
//	running                  is gone             the end is in exit.json, or the machine went down: undo, exited
func (e *Engine) restore() error {
	dirs, err := os.ReadDir(e.data("containers"))
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := e.restoreOne(d.Name()); err != nil {
			return fmt.Errorf("container %.12s: %w", d.Name(), err)
		}
	}
	return e.sweep()
}

func (e *Engine) restoreOne(id string) error {
	c := e.container(id)
	if _, err := os.Stat(filepath.Join(c.dir, "plan.json")); err == nil {
		c.bundle = c.dir // the engine that started it kept all in one place
	}
	err := c.load()
	half := missing(err)
	if err != nil && !half {
		return fmt.Errorf("read its record (remove the directory to go on without it): %w", err)
	}
	if !half {
		e.containers[id] = c
		if _, err := e.claim(c.record.Name, id); err != nil {
			return err
		}
	}
	c.verb.Lock()
	defer c.verb.Unlock()
	if c.shim, err = shim.Connect(e.socket(id)); err != nil && !errors.Is(err, shim.ErrGone) {
		return err
	}
	if c.record.State.Status == container.StateRunning {
		return e.resume(c)
	}
	if c.shim != nil {
		_ = c.shim.Signal("", unix.SIGKILL) // it fails if there is no process
		if running, err := c.shim.Find(""); err == nil {
			_, _ = running.Wait()
		}
	}
	if err := errors.Join(e.undo(c), e.net.Release(id), c.letGo()); err != nil {
		return err
	}
	switch {
	case half:
		return e.discard(c, nil)
	case c.record.Host.AutoRemove:
		return e.remove(c, daemon.RemoveOptions{Volumes: true})
	}
	return nil
}

// resume goes on with a container that was running.
func (e *Engine) resume(c *Container) error {
	c.ended = make(chan struct{})
	if c.shim != nil {
		running, err := c.shim.Find("")
		if err == nil {
			go e.watch(c, running)
			if !c.record.State.Paused { // the engine before may have died during a commit or a pause
				_ = e.group(c.record.ID).Thaw() // who needs the freezer will hear what is wrong with it
			}
			return e.rehold(c)
		}
		if !errors.Is(err, shim.ErrGone) {
			return err
		}
	}
	exit, err := shim.ReadExit(c.bundle)
	if err != nil {
		exit = shim.Exit{Code: 137, At: time.Now().UTC()}
	}
	e.finish(c, exit)
	return nil
}

// rehold takes the ports of the host again: the sockets that held them went
// with the engine before.
func (e *Engine) rehold(c *Container) error {
	s := c.record.State
	if !s.Address.IsValid() {
		return nil
	}
	if _, err := e.net.Allocate(c.record.ID, s.Address); err != nil {
		return err
	}
	_, err := e.net.Reserve(c.record.ID, append([]network.Port(nil), s.Ports...))
	return err
}

// sweep removes writable layers, addresses and unfinished images that belong to
// nobody.
func (e *Engine) sweep() error {
	layers, err := e.layers.List()
	if err != nil {
		return err
	}
	for _, id := range layers {
		if strings.Contains(id, ":") || e.containers[id] != nil {
			continue
		}
		if err := e.layers.Remove(id); err != nil {
			return err
		}
	}
	for id := range e.net.Allocated() {
		if e.containers[id] == nil {
			err = errors.Join(err, e.net.Release(id))
		}
	}
	return errors.Join(err, e.sweepImages(images.SweepOptions{Alone: true}))
}
