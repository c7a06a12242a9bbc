package daemon

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// ParseFilters reads the query parameter "filters". Docker has written it in
// two ways, and both are still sent:
//
//	{"status": {"running": true, "paused": true}}   since API 1.22
//	{"status": ["running", "paused"]}               before, and by other clients
func ParseFilters(s string) (Filters, error) {
	if s == "" {
		return Filters{}, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &raw); err != nil {
		return nil, Errorf(Invalid, "invalid filters %q: %w", s, err)
	}
	f := Filters{}
	for key, value := range raw {
		var list []string
		if json.Unmarshal(value, &list) != nil {
			var set map[string]bool
			if err := json.Unmarshal(value, &set); err != nil {
				return nil, Errorf(Invalid, "invalid filter %q: %w", key, err)
			}
			list = slices.Sorted(maps.Keys(set))
		}
		f[key] = list
	}
	return f, nil
}

// Check refuses a filter that is not one of the known ones: a misspelled filter
// that is ignored shows everything, and `docker rm $(docker ps -q -f …)` then
// removes everything.
func (f Filters) Check(known ...string) error {
	for key := range f {
		if !slices.Contains(known, key) {
			return Errorf(Invalid, "invalid filter '%s'", key)
		}
	}
	return nil
}

// Match tells whether nobody asked about key, or is holds for one of the values asked for.
func (f Filters) Match(key string, is func(value string) bool) bool {
	return len(f[key]) == 0 || slices.ContainsFunc(f[key], is)
}

// MatchLabels tells whether labels have every "key" or "key=value" asked for.
func (f Filters) MatchLabels(labels map[string]string) bool {
	for _, want := range f["label"] {
		key, value, valued := strings.Cut(want, "=")
		got, ok := labels[key]
		if !ok || valued && got != value {
			return false
		}
	}
	return true
}
