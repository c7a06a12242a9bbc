package plan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	cgroups "cutaway/03-cgroups"
)

// The parent and the child speak over one socket:
//
//	parent                                child
//	  │  orders: steps, hold    (1 line)    │  waits; end of file: gives up
//	  ├────────────────────────────────────▶│
//	  │  go                     (1 byte)    │  only if hold, before each step
//	  ├────────────────────────────────────▶│
//	  │  report: index, took    (1 line)    │  after each step
//	  │◀────────────────────────────────────┤
//	  │  report: index, failure (1 line)    │  the child ends here
//	  │◀────────────────────────────────────┤
//	  │  end of file                        │  execve closed the socket: it runs
//	  │◀────────────────────────────────────┤
//
// orders → Command; report → Perform and Command; end of file → close-on-exec.

// orders is what the child is told to do.
type orders struct {
	Steps []Wrapped `json:"steps"`
	Hold  bool      `json:"hold,omitempty"` // wait for a byte before each step
	Few   bool      `json:"few,omitempty"`  // the cgroup may allow only a few threads
}

// A Child is a process that waits for its orders at the other end of Conn.
type Child struct {
	Conn io.ReadWriter
	// Before is called before each step, if set; an error ends the child.
	Before func(*Item) error
}

// Command sends the items to the child and follows their fate until the child
// has become the program. A child that goes away without a failure of its own
// leaves the last item failed.
func (c Child) Command(p *Plan, items []*Item) error {
	o := orders{Hold: c.Before != nil, Few: few(p)}
	for _, it := range items {
		o.Steps = append(o.Steps, Wrapped{it.Step})
	}
	if err := json.NewEncoder(c.Conn).Encode(o); err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	reports := json.NewDecoder(c.Conn)
	for _, it := range items {
		if err := c.follow(p, it, reports); err != nil {
			return err
		}
	}
	return nil
}

// few tells whether the child's cgroup may limit its threads: a plan that makes
// the cgroup says so itself; one for a process of exec does not know.
func few(p *Plan) bool {
	made := false
	for _, it := range p.Items {
		switch s := it.Step.(type) {
		case cgroups.Create:
			made = true
		case cgroups.Set:
			if filepath.Base(s.Path) == "pids.max" {
				return true
			}
		}
	}
	return !made
}

// follow waits for the report on one item. The last item is execve: its success
// has no report, only the end of the file.
func (c Child) follow(p *Plan, it *Item, reports *json.Decoder) error {
	if c.Before != nil {
		if err := c.Before(it); err != nil {
			return err
		}
		if _, err := c.Conn.Write([]byte{'g'}); err != nil {
			return fmt.Errorf("let the child go on: %w", err)
		}
	}
	p.note(it, func() { it.State = Begun })
	start := time.Now()
	var e entry
	err := reports.Decode(&e)
	last := it == p.Items[len(p.Items)-1]
	switch {
	case errors.Is(err, io.EOF) && last:
		p.finish(it, time.Since(start), nil)
		return nil
	case err != nil:
		p.finish(it, time.Since(start), fmt.Errorf("the child ended: %w", err))
		return it.Failure
	case e.Failure != nil:
		p.finish(it, e.Took, e.Failure)
		return it.Failure
	}
	p.finish(it, e.Took, nil)
	return nil
}

// Perform is the whole of the child: it waits for orders, and does them one
// after the other on one thread. It returns only if a step failed, or if there
// were no orders. The last step is expected to be an execve(2), and conn to be
// closed by it.
func Perform(conn io.ReadWriter) error {
	// Namespaces, capabilities and the user belong to a thread: see 02-namespaces.
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // there will be a new memory soon
	// A signal that was ignored would stay so (signal(7)): one that is caught
	// is back to its default after execve.
	signal.Notify(make(chan os.Signal, 1))
	in := bufio.NewReader(conn)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("wait for orders: %w", err)
	}
	var o orders
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if o.Few {
		gather()
	}
	out := bufio.NewWriter(conn)
	reports := json.NewEncoder(out)
	for i, w := range o.Steps {
		// A parent that is woken for each report is in our way; but it gets all
		// of them before it has to decide, and before execve.
		if o.Hold || i%reportsAtOnce == 0 || i == len(o.Steps)-1 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		if o.Hold {
			if _, err := in.ReadByte(); err != nil {
				return fmt.Errorf("wait to go on: %w", err)
			}
		}
		start := time.Now()
		err := attempt(w.Step)
		e := entry{Index: i, State: Done, Took: time.Since(start)}
		if err != nil {
			e.State, e.Failure = Failed, fail(w.Step, err)
		}
		if report := reports.Encode(e); err == nil {
			err = report
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}

// reportsAtOnce is how many steps a child may be ahead of what its parent knows.
const reportsAtOnce = 20

// spare is how many threads the runtime may want while the steps are done.
const spare = 8

// gather has the runtime make its threads now: when the cgroup has been entered,
// its pids.max may allow no more.
func gather() {
	var up sync.WaitGroup
	down := make(chan struct{})
	for range spare {
		up.Add(1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			up.Done()
			<-down
		}()
	}
	up.Wait()
	close(down)
}
