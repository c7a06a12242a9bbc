package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// stepJSON is a step as JSON: its name and its fields.
//
//	{"step":"namespaces.Hostname","with":{"Name":"web"}}
type stepJSON[With any] struct {
	Step string `json:"step"`
	With With   `json:"with"`
}

// itemJSON is an item on disk and in the API. Shell and ID are for readers.
type itemJSON[With any] struct {
	Lane    Lane           `json:"lane"`
	Step    stepJSON[With] `json:"do"`
	Shell   string         `json:"shell"`
	State   State          `json:"state,omitempty"`
	Took    time.Duration  `json:"took,omitempty"` // nanoseconds
	Failure *Failure       `json:"failure,omitempty"`
	ID      string         `json:"id,omitempty"` // of the failure
}

// planJSON is the file.
type planJSON struct {
	Container string
	Items     []itemJSON[Step]
}

// MarshalJSON writes the plan as a whole: encoding/json checks and copies what each
// item's own method returns, time and again.
func (p *Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{Container: p.Container}
	for _, it := range p.Items {
		item, err := it.view()
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, item)
	}
	return json.Marshal(out)
}

// MarshalJSON writes the item with its shell equivalent.
func (it *Item) MarshalJSON() ([]byte, error) {
	out, err := it.view()
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// view is the item as plain structs. A step that could not be read back is an error
// now and not after a crash.
func (it *Item) view() (out itemJSON[Step], err error) {
	out = itemJSON[Step]{it.Lane, stepJSON[Step]{nameOf(it.Step), it.Step}, it.Step.String(), it.State, it.Took, it.Failure, ""}
	if it.Failure != nil {
		out.ID = it.Failure.ID()
	}
	return out, known(it.Step)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (it *Item) UnmarshalJSON(data []byte) error {
	var in itemJSON[json.RawMessage]
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*it = Item{Lane: in.Lane, State: in.State, Took: in.Took, Failure: in.Failure}
	return decode(in.Step.Step, &it.Step, func(v any) error { return json.Unmarshal(in.Step.With, v) })
}

// decode makes a step of the named type, whose fields read puts in.
func decode(name string, s *Step, read func(v any) error) error {
	t, ok := catalogue()[name]
	if !ok {
		return fmt.Errorf("unknown step %q", name)
	}
	v := reflect.New(t)
	if err := read(v.Interface()); err != nil {
		return fmt.Errorf("read step %s: %w", name, err)
	}
	*s = v.Elem().Interface().(Step)
	return nil
}

// known tells whether a step can be read back.
func known(s Step) error {
	if _, ok := catalogue()[nameOf(s)]; !ok {
		return fmt.Errorf("step %s is not in the catalogue (final/plan/catalogue.go)", nameOf(s))
	}
	return nil
}

// nameOf is the type of a step with its package's name.
func nameOf(s Step) string {
	return strings.TrimPrefix(reflect.TypeOf(s).String(), "*")
}
