package cli

import (
	"context"

	"cutaway/final/doctor"

	"github.com/spf13/cobra"
)

// doctorCommand looks at this machine; it does not need a daemon, nor root.
func (a *app) doctorCommand() *cobra.Command {
	var isJSON bool
	patient := doctor.Patient{Root: "/"}
	c := command("doctor [OPTIONS]", "Examine this machine: can containers run on it, and what is in the way?", func(context.Context, []string) error {
		list := doctor.Examine(patient)
		write := doctor.Write
		if isJSON {
			write = doctor.WriteJSON
		}
		if err := write(a.out, list); err != nil {
			return err
		}
		if !doctor.Healthy(list) {
			return exitError{code: 1}
		}
		return nil
	})
	c.Flags().BoolVar(&isJSON, "json", false, "print JSON")
	c.Flags().StringVar(&patient.DataRoot, "data-root", "/var/lib/cutaway", "where the daemon keeps its things, or will")
	return c
}
