package cgroups

import (
	"context"
	"io/fs"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEventsComeWithoutAsking(t *testing.T) {
	b := newBox(t, Limits{})
	events, err := b.Watch(t.Context())
	require.NoError(t, err)
	h := b.start("wait", "")
	if hasV2(b.sys) {
		requireEvent(t, events, Event{"populated", 1})
	}
	if b.sys.Mode() == "v2" { // a hybrid system freezes by v1
		require.NoError(t, b.Freeze())
		requireEvent(t, events, Event{"frozen", 1})
		require.NoError(t, b.Thaw())
		requireEvent(t, events, Event{"frozen", 0})
	}
	require.NoError(t, h.Process.Kill())
	if hasV2(b.sys) {
		requireEvent(t, events, Event{"populated", 0})
	}
	require.Error(t, h.Wait())
	require.NoError(t, b.steps[0].(Create).Undo())
	requireClosed(t, events)
}

func TestWatchEndsWithItsContext(t *testing.T) {
	b := newBox(t, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	events, err := b.Watch(ctx)
	require.NoError(t, err)
	cancel()
	select {
	case e, open := <-events:
		require.False(t, open, "%v: what wakes the watch at its end has not happened to the group", e)
	case <-time.After(patient):
		t.Fatal("not closed")
	}
}

func TestPressureIsReadOnV2Only(t *testing.T) {
	b := newBox(t, Limits{})
	for _, resource := range []string{"cpu", "memory", "io"} {
		p, err := b.Pressure(resource)
		if !hasV2(b.sys) {
			require.ErrorIs(t, err, fs.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, p.Some, p.Full)
	}
	p, err := Group{Paths: []string{"testdata"}}.Pressure("memory")
	require.NoError(t, err)
	require.Equal(t, Pressure{Some: 190352 * time.Microsecond, Full: 7 * time.Microsecond}, p)
}

// TestPressureIsToldWithoutAsking: three processes want one processor, so two of
// them wait; the trigger needs no more than v2's tree, which a hybrid system has.
func TestPressureIsToldWithoutAsking(t *testing.T) {
	b := newBox(t, Limits{})
	trigger := Trigger{Resource: "cpu", Stall: 100 * time.Millisecond, Window: 2 * time.Second}
	events, err := b.Watch(t.Context(), trigger)
	if !hasV2(b.sys) {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return
	}
	require.NoError(t, err)
	for range 1 + 2*runtime.NumCPU() {
		b.start("spin", "")
	}
	requireEvent(t, events, Event{"cpu.pressure", 1})
	p, err := b.Pressure("cpu")
	require.NoError(t, err)
	require.Greater(t, p.Some, trigger.Stall)
	trigger.Window = time.Millisecond
	_, err = b.Watch(t.Context(), trigger)
	require.ErrorContains(t, err, "a window is 500 ms to 10 s")
}
