package plan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Journal is a plan on disk: plan.json holds the list, written before its
// first step is begun; journal holds a line for each change since. The line of a
// step that begins is written before Do is called, so a step without a line was not
// begun. The others go with the next of those: to undo a step that was begun and not
// done, or is undone already, is no error. So do those of steps inside, of which
// nothing outlives the child.
//
//	{"i":3,"state":"begun"}
//	{"i":3,"state":"done","took":184000}
type Journal struct {
	lines *os.File
	held  []byte // not written yet
}

// entry is one line of the journal.
type entry struct {
	Index   int           `json:"i"`
	State   State         `json:"state"`
	Took    time.Duration `json:"took,omitempty"` // nanoseconds
	Failure *Failure      `json:"failure,omitempty"`
}

// Keep writes the plan into dir and every change from now on behind it.
func (p *Plan) Keep(dir string) error {
	data, err := p.MarshalJSON() // encoding/json would check and copy what this returns
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	// The old journal goes first: its lines are about the old list.
	if err := os.Remove(journalIn(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := replace(planIn(dir), data); err != nil {
		return err
	}
	f, err := os.OpenFile(journalIn(dir), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	p.journal = &Journal{lines: f}
	return nil
}

// Load reads a plan back, with what became of its items. Without a plan in dir
// the error is fs.ErrNotExist.
func Load(dir string) (*Plan, error) {
	data, err := os.ReadFile(planIn(dir))
	if err != nil {
		return nil, err
	}
	p := new(Plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("read %s: %w", planIn(dir), err)
	}
	f, err := os.OpenFile(journalIn(dir), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p.replay(f)
	p.journal = &Journal{lines: f}
	return p, nil
}

// replay applies the journal's lines. The last one may be torn, if the engine
// died in the middle of it; it then tells of a step that was not begun.
func (p *Plan) replay(f *os.File) {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Index < 0 || e.Index >= len(p.Items) {
			continue
		}
		it := p.Items[e.Index]
		it.State, it.Failure = e.State, e.Failure
		if e.Took > 0 {
			it.Took = e.Took
		}
	}
}

// Flush writes what the journal holds, for somebody who is about to read it.
func (p *Plan) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.journal != nil {
		_ = p.journal.write() // it has more to say than the disk
	}
}

// Close ends the journal; the files stay.
func (p *Plan) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.journal == nil {
		return nil
	}
	_ = p.journal.write() // a full disk must not stop a container from being undone
	err := p.journal.lines.Close()
	p.journal = nil
	return err
}

// note appends a line.
func (j *Journal) note(p *Plan, it *Item) error {
	i := slices.Index(p.Items, it)
	if line, err := json.Marshal(entry{i, it.State, it.Took, it.Failure}); err == nil {
		j.held = append(append(j.held, line...), '\n')
	}
	if it.State == Begun && it.Lane != Inside || i == len(p.Items)-1 {
		return j.write()
	}
	return nil
}

// write writes the lines that are held. What cannot be written goes with the next.
func (j *Journal) write() error {
	n, err := j.lines.Write(j.held)
	j.held = j.held[n:]
	return err
}

func planIn(dir string) string    { return filepath.Join(dir, "plan.json") }
func journalIn(dir string) string { return filepath.Join(dir, "journal") }

// replace writes a file as a whole or not at all.
func replace(name string, data []byte) error {
	temp := name + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, name)
}
