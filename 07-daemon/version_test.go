package daemon

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAVersionIsTakenOffThePath(t *testing.T) {
	for _, row := range []struct{ in, version, path, err string }{
		{in: "/info", version: "1.56", path: "/info"},
		{in: "/v1.50/info", version: "1.50", path: "/info"},
		{in: "/v1.24/containers/v1.2/json", version: "1.24", path: "/containers/v1.2/json"},
		{in: "/version", version: "1.56", path: "/version"},
		{in: "/volumes/v1.9/x", version: "1.56", path: "/volumes/v1.9/x"},
		{in: "/v1.50", version: "1.56", path: "/v1.50"},
		{in: "/v1.50/", version: "1.50", path: "/"},
		{in: "/v1.23/info", err: "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"},
		{in: "/v0.99/info", err: "client version 0.99 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"},
		{in: "/v1.57/info", err: "client version 1.57 is too new. Maximum supported API version is 1.56"},
		{in: "/v2.0/info", err: "client version 2.0 is too new. Maximum supported API version is 1.56"},
		{in: "/v1/info", err: `invalid API version: "1"`},
		{in: "/v1.2.3/info", err: `invalid API version: "1.2.3"`},
		{in: "/v1.99999999999999999999/info", err: `invalid API version: "1.99999999999999999999"`},
	} {
		v, path, err := splitVersion(row.in)
		if row.err != "" {
			require.EqualError(t, err, row.err, row.in)
			require.Equal(t, Invalid, KindOf(err), row.in)
			continue
		}
		require.NoError(t, err, row.in)
		require.Equal(t, []string{row.version, row.path}, []string{v.String(), path}, row.in)
	}
}

// The newest version is the one that our types were published for.
func TestMaxVersionIsThatOfTheTypes(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	require.Contains(t, string(mod), "github.com/moby/moby/api v"+MaxVersion.String()+".")
}

func FuzzSplitVersion(f *testing.F) {
	for _, s := range []string{"/info", "/v1.50/info", "/v1.2.3/x", "/v../x", "/v/", "", "/v1.56/v1.56/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v, path, err := splitVersion(in)
		if err != nil {
			require.Equal(t, Invalid, KindOf(err))
			return
		}
		require.NoError(t, v.supported())
		require.True(t, strings.HasSuffix(in, path))
		again, err := ParseVersion(v.String())
		require.NoError(t, err)
		require.Equal(t, v, again)
	})
}
