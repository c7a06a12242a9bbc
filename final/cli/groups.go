package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

// These have the commands under the names that they have had in docker since 2017, such as "image ls".

func (a *app) containerCommand() *cobra.Command {
	return group("container COMMAND", "Manage containers",
		a.attachCommand(), a.commitCommand(), a.createCommand(), a.diffCommand(), a.execCommand(), a.exportCommand(),
		typed(a.inspectCommand(), "container"), a.killCommand(), a.logsCommand(), as("ls ps list", a.psCommand()), a.pauseCommand(),
		a.portCommand(), a.pruneCommand("Remove all containers that do not run", "containers"), a.renameCommand(), a.restartCommand(),
		as("rm remove", a.removeCommand()), a.runCommand(), a.startCommand(), a.stopCommand(), a.unpauseCommand(), a.waitCommand())
}

func (a *app) imageCommand() *cobra.Command {
	return group("image COMMAND", "Manage images",
		a.buildCommand(), a.historyCommand(), a.importCommand(), typed(a.inspectCommand(), "image"), a.loadCommand(),
		as("ls list", a.imagesCommand()), a.pruneCommand("Remove images that nobody needs", "images"), a.pullCommand(), a.pushCommand(),
		as("rm remove", a.removeImageCommand()), a.saveCommand(), a.tagCommand())
}

func (a *app) systemCommand() *cobra.Command {
	return group("system COMMAND", "Manage the engine",
		a.usageCommand(), a.infoCommand(),
		a.pruneCommand("Remove everything that nobody needs", "containers", "networks", "volumes", "images"))
}

// as gives a command other names.
func as(names string, c *cobra.Command) *cobra.Command {
	_, rest, _ := strings.Cut(c.Use, " ")
	all := strings.Fields(names)
	c.Use, c.Aliases = all[0]+" "+rest, all[1:]
	return c
}

// typed is inspect for one kind of things.
func typed(inspect *cobra.Command, kind string) *cobra.Command {
	flag := inspect.Flags().Lookup("type")
	_ = flag.Value.Set(kind) // a string can be set
	flag.Hidden = true
	return inspect
}
