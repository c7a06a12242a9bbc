package images

import (
	"sync"
	"time"
)

// Progress is one event of a pull or a push, and one line of Docker's JSON stream, in Docker's words.
type Progress struct {
	ID             string // a layer's short digest, a tag for the first line, "" for lines about all
	Status         string
	Current, Total int64 // bytes; Total is 0 where there is nothing to count
}

const reportEvery = 100 * time.Millisecond

// reporter passes events on, one at a time, and drops counts that come too fast.
type reporter struct {
	mu   sync.Mutex
	to   func(Progress)
	last map[string]time.Time
}

func newReporter(to func(Progress)) *reporter {
	return &reporter{to: to, last: map[string]time.Time{}}
}

func (r *reporter) report(p Progress) {
	if r.to == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Total > 0 && p.Current < p.Total {
		if time.Since(r.last[p.ID]) < reportEvery {
			return
		}
		r.last[p.ID] = time.Now()
	}
	r.to(p)
}

// tell tells how far a layer is; current are bytes, 0 where there is nothing to count.
func (r *reporter) tell(l Layer, status string, current int64) {
	p := Progress{ID: short(l.Digest), Status: status}
	if current > 0 {
		p.Current, p.Total = current, l.Size
	}
	r.report(p)
}

// writerFunc is a function as an [io.Writer].
type writerFunc func(p []byte) (int, error)

// Write calls the function.
func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
