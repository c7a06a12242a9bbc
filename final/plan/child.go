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
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	cgroups "cutaway/03-cgroups"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// The parent and the child speak over one socket:
//
//	parent                                child
//	  │  orders: hold, few      (1 line)    │  waits; end of file: gives up
//	  │  step: name, fields     (2 lines)   │  for each
//	  ├────────────────────────────────────▶│
//	  │  go                     (1 byte)    │  when the host is ready, and before the last step;
//	  │                                     │  if hold, before each
//	  ├────────────────────────────────────▶│
//	  │  report: index, took    (1 line)    │  after each step
//	  │◀────────────────────────────────────┤
//	  │  report: index, failure (1 line)    │  the child ends here
//	  │◀────────────────────────────────────┤
//	  │  end of file                        │  execve closed the socket: it runs
//	  │◀────────────────────────────────────┤
//
// orders, step → Child.Brief; go → Child.Command; report → Perform and Command; end of file → close-on-exec.

// orders is how the child is to do the steps that follow.
type orders struct {
	Steps int  `json:"steps"`
	Hold  bool `json:"hold,omitempty"` // wait for a byte before each step
	Few   bool `json:"few,omitempty"`  // the cgroup may allow only a few threads
}

// A Child is a process that waits for its orders at the other end of Conn.
type Child struct {
	Conn io.ReadWriter
	// Before is called before each step, if set; an error ends the child.
	Before func(*Item) error
	// Connected is waited for before the last step, if set; an error ends the child.
	Connected func() error
}

// Brief sends the steps inside, for the child to read while the host's lanes are
// still busy.
func (c Child) Brief(p *Plan) error {
	out := bufio.NewWriter(c.Conn)
	lines := json.NewEncoder(out)
	inside := p.Of(Inside)
	err := lines.Encode(orders{Steps: len(inside), Hold: c.Before != nil, Few: few(p)})
	for _, it := range inside {
		err = errors.Join(err, known(it.Step), lines.Encode(nameOf(it.Step)), lines.Encode(it.Step))
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	return nil
}

// Command has the child begin, and follows the fate of the steps until the child
// has become the program. A child that goes away without a failure of its own
// leaves the last item failed.
func (c Child) Command(p *Plan) error {
	var last errgroup.Group
	inside := p.Of(Inside)
	if c.Before == nil {
		if err := c.let(); err != nil {
			return err
		}
		last.Go(c.letLast)
	}
	reports := json.NewDecoder(c.Conn)
	for i, it := range inside {
		if i == len(inside)-1 {
			if err := last.Wait(); err != nil {
				return p.unlet(it, err)
			}
		}
		if err := c.follow(p, it, reports); err != nil {
			return err
		}
	}
	return nil
}

// letLast lets the child do its last step as soon as it may: by then it need not
// wait, as a rule.
func (c Child) letLast() error {
	if c.Connected != nil {
		if err := c.Connected(); err != nil {
			return err
		}
	}
	return c.let()
}

// unlet is the error of a start whose last step was not let: the cable's, or else
// that of the step, since the child is gone.
func (p *Plan) unlet(it *Item, err error) error {
	if f := (*Failure)(nil); errors.As(err, &f) {
		return err
	}
	p.finish(it, 0, err)
	return it.Failure
}

// let is the byte for which the child waits. It cannot be sent to one that is gone.
func (c Child) let() error {
	if _, err := c.Conn.Write([]byte{'g'}); err != nil {
		return fmt.Errorf("the child ended: %w", err)
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
		if err := c.let(); err != nil {
			return err
		}
	}
	_ = p.note(it, func() { it.State = Begun }) // nothing of it would outlive the child
	start := time.Now()
	var e entry
	err := reports.Decode(&e)
	last := it == p.Items[len(p.Items)-1]
	if errors.Is(err, unix.ECONNRESET) && !last { // it left a byte unread that we had sent
		err = io.EOF
	}
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
	w := worker{in: bufio.NewReader(conn), out: bufio.NewWriter(conn)}
	steps, err := w.read()
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	if w.Few {
		gather()
	}
	for i, s := range steps {
		if err := w.wait(i, len(steps)); err != nil {
			return err
		}
		if err := w.do(i, s); err != nil {
			return errors.Join(err, w.out.Flush())
		}
	}
	return w.out.Flush()
}

// Warm has encoding/json learn the steps before there are any: the first time it
// sees a type costs ten times what the next one does. It is for a child that is born
// before somebody waits for it.
func Warm() {
	for _, s := range Steps {
		if line, err := json.Marshal(s); err == nil {
			_ = json.Unmarshal(line, reflect.New(reflect.TypeOf(s)).Interface()) // what comes of it is of no interest
		}
	}
}

// worker is the child at work.
type worker struct {
	orders
	in  *bufio.Reader
	out *bufio.Writer
}

// read reads the orders.
func (w *worker) read() ([]Step, error) {
	line := func(v any) error {
		data, err := w.in.ReadBytes('\n')
		if err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	}
	if err := line(&w.orders); err != nil {
		return nil, err
	}
	steps := make([]Step, w.Steps)
	for i := range steps {
		var name string
		if err := line(&name); err != nil {
			return nil, err
		}
		if err := decode(name, &steps[i], line); err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// wait waits for permission, where it is needed, for step i of n. A parent that is
// woken for each report is in our way; but it gets all of them before it has to
// decide, and before execve.
func (w *worker) wait(i, n int) error {
	if w.Hold || i%reportsAtOnce == 0 || i == n-1 {
		if err := w.out.Flush(); err != nil {
			return err
		}
	}
	if w.Hold || i == 0 || i == n-1 {
		if _, err := w.in.ReadByte(); err != nil {
			return fmt.Errorf("wait to go on: %w", err)
		}
	}
	return nil
}

// do does a step, and reports.
func (w *worker) do(i int, s Step) error {
	start := time.Now()
	err := attempt(s)
	e := entry{Index: i, State: Done, Took: time.Since(start)}
	if err != nil {
		e.State, e.Failure = Failed, fail(s, err)
	}
	if report := json.NewEncoder(w.out).Encode(e); err == nil {
		err = report
	}
	return err
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
