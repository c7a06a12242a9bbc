package cgroups

import (
	"fmt"
	"strings"
	"time"
)

// Pressure says how much time processes of a group lost by waiting for one
// resource: what a usage of 100% does not tell (PSI, accounting/psi.rst).
type Pressure struct {
	Some Stall // at least one process waited
	Full Stall // all that had something to do waited
}

// Stall is time lost.
type Stall struct {
	Avg10, Avg60, Avg300 float64       // percent of the last 10, 60 and 300 seconds
	Total                time.Duration // since the group was made
}

// Pressure reads the pressure on "cpu", "memory" or "io". It needs v2 (hybrid
// will do) and CONFIG_PSI; without, the error is fs.ErrNotExist or ENOTSUP.
func (g Group) Pressure(resource string) (Pressure, error) {
	var p Pressure
	file, err := g.file(resource + ".pressure")
	if err != nil {
		return p, err
	}
	_, err = readLines(file, func(line string) (int, bool) {
		stall := &p.Some
		if strings.HasPrefix(line, "full") {
			stall = &p.Full
		}
		*stall = parseStall(line)
		return 0, false
	})
	return p, err
}

// parseStall reads
//
//	some avg10=0.00 avg60=1.53 avg300=0.31 total=190352
func parseStall(line string) Stall {
	var s Stall
	var kind string
	var usec int64
	_, _ = fmt.Sscanf(line, "%s avg10=%f avg60=%f avg300=%f total=%d", &kind, &s.Avg10, &s.Avg60, &s.Avg300, &usec)
	s.Total = time.Duration(usec) * time.Microsecond
	return s
}
