package cgroups

import "os"

// ModeAsInV2 takes any v2 tree for the only one.
//
// Caught by: another machine
func (s *System) ModeAsInV2() string {
	for _, h := range s.Hierarchies {
		if h.Version == V2 {
			return "v2"
		}
	}
	return "v1"
}

// ModeByThisMachine looks where it was not asked to.
//
// Caught by: another machine
func (s *System) ModeByThisMachine() string {
	if exists("/sys/fs/cgroup/cgroup.controllers") || len(s.Hierarchies) == 1 {
		return "v2"
	}
	if entries, err := os.ReadDir("/sys/fs/cgroup/unified"); err == nil && len(entries) > 0 {
		return "hybrid"
	}
	return "v1"
}

// ModeByTheFirst does not look at the others.
//
// Caught by: another machine
func (s *System) ModeByTheFirst() string {
	if len(s.Hierarchies) > 1 && s.Hierarchies[0].Version == V1 && s.Hierarchies[len(s.Hierarchies)-1].Version == V2 {
		return "hybrid"
	}
	if s.Hierarchies[0].Version == V2 {
		return "v2"
	}
	return "v1"
}
