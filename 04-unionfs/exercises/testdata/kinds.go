package unionfs

import "path"

// unionNodesOfOneLayer does not look at what is below.
//
// Caught by: added
func unionNodesOfOneLayer(diff []node, _ []string) []node {
	for i, n := range diff {
		if isWhiteout(&n.st) {
			diff[i].Kind = Deleted
		}
	}
	return diff
}

// unionNodesWithoutOpaque knows one of the two ways to remove something.
//
// Caught by: deleted
func unionNodesWithoutOpaque(diff []node, lowers []string) []node {
	for i, n := range diff {
		switch {
		case isWhiteout(&n.st):
			diff[i].Kind = Deleted
		case n.Path == "/" || find(lowers, n.Path[1:]).file != "":
			diff[i].Kind = Modified
		}
	}
	return diff
}

// unionNodesOfFiles leaves directories out, as if nothing could happen to them.
//
// Caught by: modified
func unionNodesOfFiles(diff []node, lowers []string) (nodes []node) {
	for _, n := range diff {
		switch {
		case isWhiteout(&n.st):
			n.Kind = Deleted
		case n.Path == "/" || find(lowers, n.Path[1:]).file != "":
			n.Kind = Modified
		}
		if !n.isDir() {
			nodes = append(nodes, n)
		} else if isOpaque(n.file) {
			n.Change = Change{Kind: Deleted, Path: path.Join(n.Path, opaqueName)}
			nodes = append(nodes, n)
		}
	}
	return nodes
}
