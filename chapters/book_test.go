package chapters_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cutaway/chapters/book"
	"cutaway/chapters/lab"

	"github.com/stretchr/testify/require"
)

func pages(t *testing.T) []book.Page {
	t.Helper()
	pages, err := book.Pages(root)
	require.NoError(t, err)
	return pages
}

func TestListingsAreAsInTheCode(t *testing.T) {
	for _, old := range pages(t) {
		page, problems := old.Listings()
		for _, p := range problems {
			t.Error(p)
		}
		if page.Text != old.Text {
			t.Errorf("%s is stale: make book", old.Path)
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, p := range page.BrokenLinks() {
			t.Error(p)
		}
	}
}

func TestEveryChapterHasItsNote(t *testing.T) {
	for dir := range librarySize {
		if chapter.MatchString(dir) {
			require.FileExists(t, dir+".md")
		}
	}
}

func TestNotesMentionEveryExportedName(t *testing.T) {
	for _, page := range pages(t) {
		dir := strings.TrimSuffix(filepath.Base(page.Path), ".md")
		if !chapter.MatchString(dir) {
			continue
		}
		missing, err := page.Unmentioned(dir)
		require.NoError(t, err)
		if len(missing) > 0 {
			t.Errorf("%s mentions neither in its text nor under \"Not covered here\": %s", page.Path, strings.Join(missing, ", "))
		}
	}
}

func TestTranscriptsAreWhatTheCommandsPrint(t *testing.T) {
	lab.NeedRoot(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+"/cutaway", "./final/cmd/cutaway")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // static: it is also the program in the containers
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, old := range pages(t) {
		if !old.HasTranscripts() {
			continue
		}
		t.Run(old.Path, func(t *testing.T) {
			page, problems := old.Transcripts("CUTAWAY="+bin+"/cutaway", "PATH="+bin+":"+os.Getenv("PATH"))
			// A page shows the usual order of things. On a busy machine one run may show another; what is
			// stale is so every time.
			for range 2 {
				if len(problems) == 0 && page.Text == old.Text {
					break
				}
				page, problems = old.Transcripts("CUTAWAY="+bin+"/cutaway", "PATH="+bin+":"+os.Getenv("PATH"))
			}
			for _, p := range problems {
				t.Error(p)
			}
			if page.Text != old.Text {
				t.Errorf("stale: make build && go run ./chapters/cmd/book -w -run\n%s", firstDifference(old.Text, page.Text))
			}
		})
	}
}

// firstDifference shows the first line in which two pages differ, but for what differs in every run.
func firstDifference(page, run string) string {
	were, are := strings.Split(page, "\n"), strings.Split(run, "\n")
	i := 0
	for i < min(len(were), len(are))-1 && book.Normalize(were[i]) == book.Normalize(are[i]) {
		i++
	}
	return fmt.Sprintf("line %d, page: %s\nline %d, run:  %s", i+1, were[i], i+1, are[i])
}
