package cgroups

// OOMKillsYesOrNo answers another question.
//
// Caught by: killed
func (g Group) OOMKillsYesOrNo() (uint64, error) {
	if _, err := g.file("memory.events", "memory.oom_control"); err != nil {
		return 0, err
	}
	return min(g.count("memory.events", "memory.oom_control")["oom_kill"], 1), nil
}

// OOMKillsWhenShort counts how often the limit was reached.
//
// Caught by: killed
func (g Group) OOMKillsWhenShort() (uint64, error) {
	if _, err := g.file("memory.events", "memory.oom_control"); err != nil {
		return 0, err
	}
	return g.count("memory.events")["max"] + g.count("memory.failcnt")[""], nil
}

// OOMKillsOrZero says that nobody was killed where it does not know.
//
// Caught by: told error
func (g Group) OOMKillsOrZero() (uint64, error) {
	return g.count("memory.events", "memory.oom_control")["oom_kill"], nil
}
