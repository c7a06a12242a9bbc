package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryChapterWithExercisesHasThemInItsPage(t *testing.T) {
	for _, l := range lists {
		old, err := os.ReadFile(filepath.Join("../..", l.Dir+".md"))
		require.NoError(t, err)
		text, err := withSection(string(old), l)
		require.NoError(t, err)
		require.Equal(t, text, string(old), "chapters/%s.md is stale: make book", l.Dir)
	}
}

func TestEveryListIsKnown(t *testing.T) {
	dirs, err := filepath.Glob("../../../0[1-7]-*/exercises")
	require.NoError(t, err)
	require.Len(t, lists, len(dirs))
	for _, name := range []string{"1", "01", "chroot", "01-chroot"} {
		l, err := list(name)
		require.NoError(t, err)
		require.Equal(t, "01-chroot", l.Dir)
	}
	_, err = list("8")
	require.ErrorContains(t, err, `chapter "8" has no exercises`)
}
