package namespaces

import (
	"fmt"
	"os"
)

// DoLineByLine writes every line for itself.
//
// Caught by: error
func (m Maps) DoLineByLine() error {
	for file, maps := range map[string][]IDMap{"uid_map": m.UIDMap, "gid_map": m.GIDMap} {
		for _, one := range maps {
			if err := os.WriteFile(m.file(file), lines([]IDMap{one}), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// DoUnheard writes line by line as well, and does not hear that the second was refused.
//
// Caught by: uid_map
func (m Maps) DoUnheard() error {
	f, err := os.OpenFile(m.file("uid_map"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, one := range m.UIDMap {
		fmt.Fprintln(f, one.Inside, one.Outside, one.Count)
	}
	f.Close()
	return os.WriteFile(m.file("gid_map"), lines(m.GIDMap), 0)
}

// DoAsRoot works for who tries it with sudo.
//
// Caught by: a user's own map
func (m Maps) DoAsRoot() error {
	if err := os.WriteFile(m.file("uid_map"), lines(m.UIDMap), 0); err != nil {
		return err
	}
	return os.WriteFile(m.file("gid_map"), lines(m.GIDMap), 0)
}

// DoDenyAlways takes from root what it needs.
//
// Caught by: setgroups
func (m Maps) DoDenyAlways() error {
	if err := os.WriteFile(m.file("setgroups"), []byte("deny"), 0); err != nil {
		return err
	}
	return m.DoAsRoot()
}

// DoTwice has one map for two files.
//
// Caught by: gid_map
func (m Maps) DoTwice() error {
	m.GIDMap = m.UIDMap
	return m.DoAsRoot()
}
