package engine

import "sync"

// needs are the images and containers that must stay for what goes on: a build, a
// create, a restart.
type needs struct {
	mu sync.Mutex
	by map[string]int // ID → how many need it
}

// hold keeps an image or a container from going away.
func (n *needs) hold(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.by[id]++
}

// release ends that.
func (n *needs) release(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by[id]--; n.by[id] == 0 {
		delete(n.by, id)
	}
}

// holds tells whether somebody needs it.
func (n *needs) holds(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.by[id] > 0
}
