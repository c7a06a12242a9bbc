package observe

// A Subject says where to look.
type Subject struct {
	Engine int      // the engine's process
	Child  int      // the process that performs the steps inside; 0 = there is none yet
	Netns  string   // file of the container's network namespace, as the engine names it; "" = none of its own
	Groups []string // the container's cgroups: directories
	Limits []string // files in them that steps write
	Dir    string   // the container's directory
	Root   string   // where its tree is mounted, before it is the root
}

// A View is what the kernel says about one thing, line by line.
type View struct {
	Title string
	Lines []string
	same  bool // the container has the host's: it is not a view of its own yet
}

// A Picture is all views at one time, in an order that does not change.
type Picture []View

// A Change is what one view lost and gained between two pictures.
type Change struct {
	Title     string
	Gone, New []string
}

// Look takes a picture.
func Look(s Subject) Picture {
	where := s.place()
	return Picture{
		{Title: "files of the container", Lines: files(where.engineRoot(s.Dir))},
		{Title: "mounts on the host", Lines: mounts(where.engine)},
		{Title: "control groups", Lines: groups(s)},
		{Title: "network of the host", Lines: network(where.engine + "/ns/net")},
		{Title: "network of the container", Lines: where.network(s)},
		{Title: "ports in nftables", Lines: elements(where.engine + "/ns/net")},
		{Title: "namespaces of the process", Lines: where.namespaces()},
		{Title: "the process", Lines: where.process()},
		{Title: "its control groups", Lines: where.membership()},
		{Title: "mounts of the container", Lines: mounts(where.child), same: where.shares("mnt")},
		{Title: "its /dev", Lines: where.devices(s.Root)},
		{Title: "hostname", Lines: hostname(where.child + "/ns/uts"), same: where.shares("uts")},
	}
}

// Since lists what has changed since an earlier picture; views in which nothing
// has are left out.
func (p Picture) Since(before Picture) []Change {
	var list []Change
	for i, v := range p {
		if v.same || i >= len(before) {
			continue
		}
		c := Change{Title: v.Title, Gone: missing(before[i].Lines, v.Lines), New: missing(v.Lines, before[i].Lines)}
		if len(c.Gone)+len(c.New) > 0 {
			list = append(list, c)
		}
	}
	return list
}

// missing is the lines of a that are not in b, in order. A line that is twice in
// a and once in b is missing once.
func missing(a, b []string) []string {
	count := map[string]int{}
	for _, line := range b {
		count[line]++
	}
	var lines []string
	for _, line := range a {
		if count[line]--; count[line] < 0 {
			lines = append(lines, line)
		}
	}
	return lines
}
