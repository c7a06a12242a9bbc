package engine

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"regexp"
	"sync"

	daemon "cutaway/07-daemon"
)

// validName is moby's pattern (daemon/names). It is compiled when it is needed: the
// first processes of every container are this binary, too, and would wait for it.
var validName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$`) })

// newID is a container's ID: 32 random bytes.
func newID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}

// claim gives a name to an ID, or says who has it. "" is a name of our choice.
func (e *Engine) claim(name, id string) (string, error) {
	if name != "" && !validName().MatchString(name) {
		return "", badName.About(daemon.Errorf(daemon.Invalid, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name))
	}
	if name != "" && name[0] == '/' {
		name = name[1:]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for name == "" {
		if free := invent(); e.names[free] == "" {
			name = free
		}
	}
	if other := e.names[name]; other != "" && other != id {
		return "", nameInUse.About(daemon.Errorf(daemon.Conflict, "Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, other))
	}
	e.names[name] = id
	return name, nil
}

// release takes a name away from an ID that has it.
func (e *Engine) release(name, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.names[name] == id {
		delete(e.names, name)
	}
}

var (
	moods = []string{
		"airy", "amber", "bold", "brisk", "calm", "clear", "clever", "crisp", "deft", "eager", "fair", "fleet", "frank", "glad",
		"grand", "hardy", "keen", "kind", "light", "lively", "lucid", "merry", "neat", "nimble", "open", "plain", "proud", "quick",
		"quiet", "rapid", "ready", "sharp", "shiny", "sleek", "smart", "snug", "solid", "spry", "steady", "still", "sunny", "swift",
		"tidy", "trim", "true", "vivid", "warm", "wise", "witty", "young",
	}
	things = []string{
		"anchor", "barge", "beacon", "boiler", "boom", "bosun", "bow", "bridge", "buoy", "cabin", "canal", "capstan", "cargo",
		"compass", "crane", "deck", "derrick", "dock", "ferry", "funnel", "galley", "gantry", "harbor", "hatch", "hawser", "helm",
		"hoist", "hold", "hull", "jetty", "keel", "ladder", "lantern", "lock", "mast", "mooring", "pallet", "pier", "pilot",
		"piston", "porthole", "propeller", "quay", "rudder", "sextant", "skiff", "stern", "trawler", "tug", "winch",
	}
)

// invent is a name that nobody minds.
func invent() string {
	pick := func(from []string) string {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
		if err != nil {
			return from[0]
		}
		return from[n.Int64()]
	}
	return pick(moods) + "_" + pick(things) + "_" + newID()[:2]
}
