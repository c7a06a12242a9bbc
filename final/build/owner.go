package build

import (
	"strconv"
	"strings"
)

// own finds the numbers of --chown, by the names that the image has for them.
// A user without a group brings the group of the same number.
func (p *packer) own() error {
	if p.chown == "" {
		return nil
	}
	user, group, both := strings.Cut(p.chown, ":")
	var err error
	if p.uid, err = p.number("/etc/passwd", user); err != nil {
		return err
	}
	p.gid = p.uid
	if both {
		p.gid, err = p.number("/etc/group", group)
	}
	return err
}

// number looks a name up in a file like passwd(5) or group(5):
//
//	guest:x:1000:…
func (p *packer) number(file, name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	data, err := p.below.read(file)
	if err != nil {
		return 0, noFile.errorf("%s --chown=%s: %q is no number, and the image has no %s to look it up in", p.copying.name, p.chown, name, file)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 3 || fields[0] != name {
			continue
		}
		if n, err := strconv.ParseUint(fields[2], 10, 31); err == nil {
			return int(n), nil
		}
	}
	return 0, noFile.errorf("%s --chown=%s: %q is not in %s of the image", p.copying.name, p.chown, name, file)
}

// mode is that of --chmod.
func (p *packer) mode() (int64, error) {
	mode, err := strconv.ParseInt(p.chmod, 8, 32)
	if err != nil || mode < 0 || mode > 0o7777 {
		return 0, unsupported.errorf("%s --chmod=%s: an octal number such as 0755 is what cutaway takes", p.copying.name, p.chmod)
	}
	return mode, nil
}
