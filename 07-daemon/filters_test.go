package daemon

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBothFormsOfFiltersMeanTheSame(t *testing.T) {
	want := Filters{"status": {"paused", "running"}, "label": {"a=b"}}
	for _, in := range []string{
		`{"status":{"running":true,"paused":true},"label":{"a=b":true}}`,
		`{"status":["paused","running"],"label":["a=b"]}`,
		`{"status":["paused","running"],"label":{"a=b":true}}`,
	} {
		got, err := ParseFilters(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	got, err := ParseFilters("")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestFiltersThatAreNoneAreTheUsersMistake(t *testing.T) {
	for _, in := range []string{`{`, `[]`, `"status"`, `{"status":"running"}`, `{"status":1}`, `{"status":{"running":1}}`, `{} {}`} {
		_, err := ParseFilters(in)
		require.Error(t, err, in)
		require.Equal(t, Invalid, KindOf(err), in)
	}
}

func TestFiltersSelect(t *testing.T) {
	f := Filters{"label": {"app", "tier=web"}, "name": {"x", "y"}}
	require.True(t, f.MatchLabels(map[string]string{"app": "", "tier": "web", "more": "1"}))
	require.False(t, f.MatchLabels(map[string]string{"app": "", "tier": "db"}))
	require.False(t, f.MatchLabels(nil))
	require.True(t, Filters{}.MatchLabels(nil))

	is := func(want string) func(string) bool { return func(v string) bool { return v == want } }
	require.True(t, f.Match("name", is("y")))
	require.False(t, f.Match("name", is("z")))
	require.True(t, f.Match("status", is("z")), "nobody asked")

	require.NoError(t, f.Check("name", "label"))
	require.EqualError(t, f.Check("name"), "invalid filter 'label'")
}

func FuzzParseFilters(f *testing.F) {
	for _, s := range []string{`{"a":["b"]}`, `{"a":{"b":true}}`, `{"a":{"b":false},"c":[]}`, `null`, `{"a":null}`, `{"":[""]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseFilters(in)
		if err != nil {
			require.Equal(t, Invalid, KindOf(err))
			return
		}
		text, err := json.Marshal(got)
		require.NoError(t, err)
		again, err := ParseFilters(string(text))
		require.NoError(t, err)
		for key, values := range got {
			require.ElementsMatch(t, values, again[key])
		}
	})
}
