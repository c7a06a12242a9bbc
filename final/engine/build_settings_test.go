package engine

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	unionfs "cutaway/04-unionfs"
	daemon "cutaway/07-daemon"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"
)

func TestEveryInstructionIsSeenInTheImage(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": `# escape=` + "`" + `
ARG P=8080
FROM cutaway/toolbox
MAINTAINER somebody
ARG P
ARG ONE=1
ENV A=$ONE B="two words" C=${NONE:-none} ` + "`" + `
    PATH=/opt/bin:$PATH
LABEL l="x $A" m=n
LABEL m=o
EXPOSE $P 53/udp 90-91
VOLUME /data ["/more"]
VOLUME ["/j son"]
WORKDIR /work
WORKDIR deeper
USER guest
SHELL ["/bin/sh", "-e", "-c"]
STOPSIGNAL INT
HEALTHCHECK --interval=3s --timeout=2s --start-period=1s --retries=4 CMD true
ONBUILD RUN echo $ONE
ENTRYPOINT ["sh", "-c"]
CMD echo $A
RUN pwd > /tmp/where && id -un >> /tmp/where && echo "$ONE $B" >> /tmp/where
`}
	b, file := w.must(f, daemon.BuildOptions{Labels: map[string]string{"from": "outside"}})
	c := file.Config
	require.Equal(t, "somebody", file.Author)
	require.Equal(t, []string{"A=1", "B=two words", "C=none", "PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, c.Env)
	require.Equal(t, map[string]string{"l": "x 1", "m": "o", "from": "outside"}, c.Labels)
	require.Equal(t, map[string]struct{}{"8080/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}}, c.ExposedPorts)
	require.Contains(t, c.Volumes, "/data")
	require.Contains(t, c.Volumes, "/j son")
	require.Equal(t, "/work/deeper", c.WorkingDir)
	require.Equal(t, "guest", c.User)
	require.Equal(t, []string{"/bin/sh", "-e", "-c"}, c.Shell)
	require.Equal(t, "INT", c.StopSignal)
	require.Equal(t, &v1.HealthConfig{Test: []string{"CMD-SHELL", "true"}, Interval: 3 * time.Second, Timeout: 2 * time.Second, StartPeriod: time.Second, Retries: 4}, c.Healthcheck)
	require.Equal(t, []string{"RUN echo $ONE"}, c.OnBuild)
	require.Equal(t, []string{"sh", "-c"}, c.Entrypoint)
	require.Equal(t, []string{"/bin/sh", "-e", "-c", "echo $A"}, c.Cmd)
	require.Equal(t, "/work/deeper\nguest\n1 two words\n", w.in(b.id, "cat", "/tmp/where"))
	require.Contains(t, w.tree(b.id, "work"), "/work/deeper drwxr-xr-x 0:0")
	require.Contains(t, file.History[len(file.History)-2].CreatedBy, "RUN |2 ONE=1 P=8080 /bin/sh -e -c pwd > /tmp/where")
	require.Len(t, file.RootFS.DiffIDs, 4, "the base, two directories, a RUN")
}

func TestArgumentsHaveTheirScopes(t *testing.T) {
	w := open(t)
	for name, row := range map[string]struct{ text, want string }{
		"not in a stage without ARG":     {"ARG A=1\nFROM cutaway/toolbox\nRUN echo [$A] > /x", "[]"},
		"in a stage that asks":           {"ARG A=1\nFROM cutaway/toolbox\nARG A\nRUN echo [$A] > /x", "[1]"},
		"its own default wins":           {"ARG A=1\nFROM cutaway/toolbox\nARG A=2\nRUN echo [$A] > /x", "[2]"},
		"the user wins":                  {"FROM cutaway/toolbox\nARG GIVEN=2\nRUN echo [$GIVEN] > /x", "[given]"},
		"ENV wins":                       {"FROM cutaway/toolbox\nENV GIVEN=env\nARG GIVEN\nRUN echo [$GIVEN] > /x", "[env]"},
		"not in the next stage":          {"FROM cutaway/toolbox AS a\nARG A=1\nFROM a\nRUN echo [$A] > /x", "[]"},
		"not before its ARG":             {"FROM cutaway/toolbox\nRUN echo [$GIVEN] > /x\nARG GIVEN", "[]"},
		"a proxy without ARG":            {"FROM cutaway/toolbox\nRUN echo [$no_proxy] > /x", "[local]"},
		"the platform":                   {"FROM --platform=$BUILDPLATFORM cutaway/toolbox\nARG TARGETOS\nRUN echo \"[$TARGETOS]\" > /x", "[linux]"},
		"an argument in an ENV stays":    {"FROM cutaway/toolbox AS a\nARG GIVEN\nENV E=$GIVEN\nFROM a\nRUN echo [$E] > /x", "[given]"},
		"one argument in another":        {"FROM cutaway/toolbox\nARG A=1\nARG B=${A}2\nRUN echo [$B] > /x", "[12]"},
		"a heredoc is a script":          {"FROM cutaway/toolbox\nRUN <<EOF\nA=1\necho [$A] > /x\nEOF", "[1]"},
		"a heredoc with a program":       {"FROM cutaway/toolbox\nRUN <<EOF\n#!/bin/sh\necho [$0] > /x\nEOF", "[/dev/pipes/EOF]"},
		"a heredoc is read by the shell": {"FROM cutaway/toolbox\nRUN cat <<EOF > /x\n[$HOME]\nEOF", "[/root]"},
		"an exec form has no shell":      {"FROM cutaway/toolbox\nRUN [\"cp\", \"/etc/nsswitch.conf\", \"/x\"]", "hosts: files dns"},
	} {
		b, _ := w.must(files{"Dockerfile": row.text + "\n"}, daemon.BuildOptions{Args: map[string]*string{"GIVEN": new("given"), "no_proxy": new("local")}})
		require.Equal(t, []string{"/x -rw-r--r-- 0:0 " + row.want + "\n"}, w.tree(b.id, "x"), name)
	}
}

func TestAnImageOfNothingIsForAPlatform(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": "FROM scratch\nCOPY one /\n", "one": "1"}
	_, host := w.must(f, daemon.BuildOptions{})
	require.Equal(t, runtime.GOARCH, host.Architecture)
	b, other := w.must(f, daemon.BuildOptions{Platform: "linux/arm/v7"})
	require.Equal(t, []string{"linux", "arm", "v7"}, []string{other.OS, other.Architecture, other.Variant})
	require.Equal(t, "-", b.hits())
}

func TestABaseImageMayWantMoreDone(t *testing.T) {
	w := open(t)
	w.must(files{"Dockerfile": "FROM cutaway/toolbox\nCMD [\"old\"]\nONBUILD COPY one /one\nONBUILD RUN cat /one > /two\n"}, daemon.BuildOptions{Tags: []string{"base:1", "other"}})
	b, file := w.must(files{"Dockerfile": "FROM base:1\nENTRYPOINT [\"new\"]\n", "one": "1"}, daemon.BuildOptions{})
	require.Equal(t, []string{"/two -rw-r--r-- 0:0 1"}, w.tree(b.id, "two"))
	require.Empty(t, file.Config.OnBuild, "once is enough")
	require.Empty(t, file.Config.Cmd, "the base's command was for another program")
	_, err := w.images.Get("other")
	require.NoError(t, err)
	require.ErrorContains(t, w.build(files{"Dockerfile": "FROM base:1\n"}, daemon.BuildOptions{}).err, "Dockerfile:1: ONBUILD COPY one /one: COPY failed")
}

func TestARunLeavesNoPlacesToMountAt(t *testing.T) {
	w := open(t)
	f := files{"Dockerfile": `FROM cutaway/toolbox AS box
FROM scratch
COPY --from=box /bin /bin
RUN true
RUN --mount=type=tmpfs,target=/scratch/deep --mount=type=cache,target=/keep echo x > /scratch/deep/x && echo once >> /keep/times && wc -l < /keep/times
RUN chmod 700 /etc && echo h > /etc/mine
`}
	b, file := w.must(f, daemon.BuildOptions{})
	require.Len(t, file.RootFS.DiffIDs, 2, "COPY, and the RUN that made a file")
	w.root(b.id, func(dir string) {
		for _, name := range []string{"dev", "proc", "sys", "scratch", "keep", "etc/hosts"} {
			require.NoFileExists(t, dir+"/"+name)
			require.NoDirExists(t, dir+"/"+name)
		}
	})
	require.Equal(t, []string{"/etc drwx------ 0:0", "/etc/mine -rw-r--r-- 0:0 h\n"}, w.tree(b.id, "etc"))
	require.Contains(t, w.build(f, daemon.BuildOptions{NoCache: true}).out, "\n2\n", "a cache stays for the next build")
}

// What diff shows and what commit keeps is the same: all that the command did, and nothing that the start did.
func TestDiffAndCommitAgreeOnPlacesToMountAt(t *testing.T) {
	w := open(t)
	link := "/etc drwxr-xr-x 0:0, /etc/resolv.conf Lrwxrwxrwx 0:0 -> ../run/x/stub.conf"
	for _, row := range []struct{ copied, command, changes, tree string }{
		{"file", "chmod 700 /etc", "C /etc", "/etc drwx------ 0:0, /etc/one -rw-r--r-- 0:0 1"},
		{"file", "true", "", "/etc drwxr-xr-x 0:0, /etc/one -rw-r--r-- 0:0 1"},
		{"", "chmod 700 /etc", "A /etc", "/etc drwx------ 0:0"},
		{"", "chown 5:6 /etc", "A /etc", "/etc drwxr-xr-x 5:6"},
		{"", "echo -n h > /etc/mine", "A /etc, A /etc/mine", "/etc drwxr-xr-x 0:0, /etc/mine -rw-r--r-- 0:0 h"},
		{"", "true", "", ""},
		{"link", "true", "", link},
		{"link", "chmod 700 /run/x", "A /run, A /run/x", link + ", /run drwxr-xr-x 0:0, /run/x drwx------ 0:0"},
	} {
		dockerfile := "FROM cutaway/toolbox AS box\nFROM scratch\nCOPY --from=box /bin /bin\n"
		if row.copied != "" {
			dockerfile += "COPY " + row.copied + " /etc/\n"
		}
		b, _ := w.must(files{"Dockerfile": dockerfile, "file/one": "1", "link/resolv.conf": "->../run/x/stub.conf"}, daemon.BuildOptions{})
		id := w.ran(b.id, "/bin/sh", "-c", row.command).id
		require.Equal(t, row.changes, w.changed(id), row)
		image, err := w.Commit(w.ctx(), daemon.CommitOptions{Ref: id})
		require.NoError(t, err)
		tree := slices.DeleteFunc(w.tree(image, "."), func(line string) bool { return line[0] != '/' || strings.HasPrefix(line, "/bin") })
		require.Equal(t, row.tree, strings.Join(tree, ", "), row)
	}
}

// changed is what diff shows of a container.
func (w *world) changed(id string) string {
	w.t.Helper()
	changes, err := w.Changes(w.ctx(), id)
	require.NoError(w.t, err)
	var list []string
	for _, c := range changes {
		list = append(list, unionfs.Kind(c.Kind).String()+" "+c.Path)
	}
	return strings.Join(list, ", ")
}

func TestDiffShowsAllWhenTheImageIsGone(t *testing.T) {
	w := open(t)
	b, _ := w.must(files{"Dockerfile": "FROM cutaway/toolbox AS box\nFROM scratch\nCOPY --from=box /bin /bin\n"}, daemon.BuildOptions{})
	id := w.ran(b.id, "true").id
	require.Empty(t, w.changed(id))
	_, err := imageStore{w.Engine}.Remove(w.ctx(), b.id, daemon.ImageRemoveOptions{Force: true})
	require.NoError(t, err)
	require.Contains(t, w.changed(id), "A /dev")
}

func TestMistakesAreToldWithTheirLine(t *testing.T) {
	w := open(t)
	for text, want := range map[string]string{
		"FROM cutaway/toolbox\n\nRUM x": "Dockerfile:3: unknown instruction: RUM",
		"":                              "no instructions",
		"RUN true":                      "Dockerfile:1: no build stage",
		"FROM cutaway/toolbox\nRUN --mount=type=secret,id=x true":        "Dockerfile:2: RUN --mount=type=secret",
		"FROM cutaway/toolbox\nRUN --security=insecure true":             "Dockerfile:2: RUN --security",
		"FROM cutaway/toolbox\nEXPOSE x":                                 "Dockerfile:2: EXPOSE",
		"FROM cutaway/toolbox\nSTOPSIGNAL nosuch":                        "Dockerfile:2: STOPSIGNAL",
		"FROM cutaway/toolbox\nCOPY a b /x":                              "Dockerfile:2: COPY failed: a: file not found",
		"FROM cutaway/toolbox\nCOPY Dockerfile Dockerfile /x":            "must be a directory and end with a /",
		"FROM cutaway/toolbox\nCOPY Dockerfile /etc/passwd/":             "/etc/passwd/ is a file",
		"FROM cutaway/toolbox\nCOPY --chown=nosuch Dockerfile /":         "\"nosuch\" is not in /etc/passwd",
		"FROM cutaway/toolbox\nCOPY --chmod=u+x Dockerfile /":            "--chmod=u+x",
		"FROM cutaway/toolbox\nCOPY --from=3 / /":                        "no stage with this number",
		"FROM cutaway/toolbox\nWORKDIR /etc/passwd":                      "this is a file",
		"FROM scratch\nRUN true":                                         "nothing is in the image yet",
		"FROM scratch":                                                   "nothing in this stage",
		"FROM $NOTHING":                                                  "has no value",
		"FROM cutaway/toolbox\nRUN [\"nosuch\"]":                         "Dockerfile:2: failed to create task",
		"FROM cutaway/toolbox\nHEALTHCHECK --start-interval=1s CMD true": "--start-interval",
		"FROM cutaway/toolbox\nRUN mkdir -p /x/a\nCOPY <<a /x/\nfile\na": "cannot replace the directory /x/a",
	} {
		b := w.build(files{"Dockerfile": text}, daemon.BuildOptions{Keep: daemon.KeepNone})
		require.ErrorContains(t, b.err, want)
		require.Equal(t, daemon.Invalid, daemon.KindOf(b.err), "%v", b.err)
	}
	require.ErrorContains(t, w.build(files{}, daemon.BuildOptions{}).err, "cannot locate specified Dockerfile: Dockerfile: no such file")
	require.ErrorContains(t, w.build(files{"Dockerfile": "FROM scratch"}, daemon.BuildOptions{Tags: []string{"Bad Tag"}}).err, "invalid tag")
	w.nothingOfBuilds()
}
