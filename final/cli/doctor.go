package cli

import "github.com/spf13/cobra"

// DoctorOptions says what to examine, and how to tell.
type DoctorOptions struct {
	JSON     bool
	DataRoot string // where the daemon keeps its things, or will
}

// doctorCommand looks at this machine; it does not need a daemon, nor root.
func (a *app) doctorCommand() *cobra.Command {
	var o DoctorOptions
	c := &cobra.Command{
		Use:   "doctor [OPTIONS]",
		Short: "Examine this machine: can containers run on it, and what is in the way?",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			healthy, err := a.Examine(a.out, o)
			if err == nil && !healthy {
				err = exitError{code: 1}
			}
			return err
		},
	}
	c.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	c.Flags().StringVar(&o.DataRoot, "data-root", "/var/lib/cutaway", "where the daemon keeps its things, or will")
	return c
}
