package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Wrapped is a step as JSON: its name and its fields.
//
//	{"step":"namespaces.Hostname","with":{"Name":"web"}}
type Wrapped struct{ Step Step }

type wire struct {
	Step string          `json:"step"`
	With json.RawMessage `json:"with"`
}

// MarshalJSON writes the step with the name of its type. One that could not be
// read back is an error now and not after a crash.
func (w Wrapped) MarshalJSON() ([]byte, error) {
	if _, ok := catalogue()[nameOf(w.Step)]; !ok {
		return nil, fmt.Errorf("step %s is not in the catalogue (final/plan/catalogue.go)", nameOf(w.Step))
	}
	with, err := json.Marshal(w.Step)
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire{nameOf(w.Step), with})
}

// UnmarshalJSON makes a step of the named type. A name that is not in the
// catalogue is an error.
func (w *Wrapped) UnmarshalJSON(data []byte) error {
	var in wire
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	t, ok := catalogue()[in.Step]
	if !ok {
		return fmt.Errorf("unknown step %q", in.Step)
	}
	v := reflect.New(t)
	if err := json.Unmarshal(in.With, v.Interface()); err != nil {
		return fmt.Errorf("read step %s: %w", in.Step, err)
	}
	w.Step = v.Elem().Interface().(Step)
	return nil
}

// itemJSON is an item on disk and in the API. Shell and ID are for readers.
type itemJSON struct {
	Lane    Lane          `json:"lane"`
	Step    Wrapped       `json:"do"`
	Shell   string        `json:"shell"`
	State   State         `json:"state,omitempty"`
	Took    time.Duration `json:"took,omitempty"` // nanoseconds
	Failure *Failure      `json:"failure,omitempty"`
	ID      string        `json:"id,omitempty"` // of the failure
}

// MarshalJSON writes the item with its shell equivalent.
func (it *Item) MarshalJSON() ([]byte, error) {
	out := itemJSON{it.Lane, Wrapped{it.Step}, it.Step.String(), it.State, it.Took, it.Failure, ""}
	if it.Failure != nil {
		out.ID = it.Failure.ID()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (it *Item) UnmarshalJSON(data []byte) error {
	var in itemJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*it = Item{in.Lane, in.Step.Step, in.State, in.Took, in.Failure}
	return nil
}

// nameOf is the type of a step with its package's name.
func nameOf(s Step) string {
	return strings.TrimPrefix(reflect.TypeOf(s).String(), "*")
}
