package book

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Transcripts returns the page with every transcript as its script just printed it. A transcript that differs
// from the page only in what Normalize takes away stays as it is. Scripts run with bash in the repository's root, in mount,
// UTS, IPC, network and PID namespaces of their own, for which root is needed; environ is added to their environment.
// Problems are scripts that failed.
func (p Page) Transcripts(environ ...string) (Page, []string) {
	return p.fill("transcript", func(file string, _ []string, old string) (string, error) {
		text, err := run(p.Root, file, environ)
		if err != nil {
			return "", err
		}
		varies, err := variations(filepath.Join(p.Root, file))
		if err != nil {
			return "", err
		}
		if Normalize(old, varies...) == Normalize(text, varies...) {
			return old, nil
		}
		return text, nil
	})
}

// HasTranscripts reports whether a script would have to run to check the page.
func (p Page) HasTranscripts() bool {
	return regexp.MustCompile(`(?m)^<!-- transcript: `).MatchString(p.Text)
}

// run returns what a script printed, on both streams, without the newline at its end.
func run(dir, script string, environ []string) (string, error) {
	// the outer bash is PID 1, which ignores signals that it has no handler for; the script is an ordinary process
	cmd := exec.Command("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
		"bash", "-c", `bash "$0"; exit $?`, script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run %s: %w\n%s", script, err, out)
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// variations returns what a script itself says will differ from run to run; ^ and $ are the ends of a line:
//
//	# varies: ^[0-9]+ processes
func variations(script string) ([]*regexp.Regexp, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	var all []*regexp.Regexp
	for line := range strings.Lines(string(text)) {
		if expr, ok := strings.CutPrefix(strings.TrimSpace(line), "# varies: "); ok {
			re, err := regexp.Compile("(?m)" + expr)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", script, err)
			}
			all = append(all, re)
		}
	}
	return all, nil
}

// everywhere is what differs in any transcript.
var everywhere = []*regexp.Regexp{
	regexp.MustCompile(`\b[0-9a-f]{64}\b`),                                   // full IDs and digests
	regexp.MustCompile(`\b[0-9a-f]{12}\b`),                                   // short IDs
	regexp.MustCompile(`\[40265[0-9]{5}\]`),                                  // inodes of namespaces
	regexp.MustCompile(`/tmp/[\w./-]+`),                                      // temporary files
	regexp.MustCompile(`\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b`),                   // hardware addresses
	regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`),                                // dates
	regexp.MustCompile(`\b\d\d?:\d\d(:\d\d(\.\d+)?)?\b`),                     // times of day
	regexp.MustCompile(`\b\d+(\.\d+)?( ?)(ns|µs|us|ms|s|seconds|minutes)\b`), // durations
	regexp.MustCompile(`(?i)\bpid[ =:]+\d+`),                                 // process IDs that are called so
	regexp.MustCompile(`\bveth\w+`),                                          // names of links
}

// Normalize replaces what differs from run to run (IDs, namespace inodes, temporary paths, hardware addresses, dates,
// times, durations, process IDs) by "~", and runs of spaces by one, since columns move with what stands in them.
func Normalize(text string, varies ...*regexp.Regexp) string {
	for _, re := range varies {
		text = re.ReplaceAllString(text, "~")
	}
	for _, re := range everywhere {
		text = re.ReplaceAllString(text, "~")
	}
	return regexp.MustCompile(`[ \t]+`).ReplaceAllString(text, " ")
}
