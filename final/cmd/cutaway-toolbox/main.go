// Command cutaway-toolbox is the user land of the image cutaway/toolbox and nothing else. An engine that finds it
// beside itself makes the image of it: it is a third of the engine's size, and is up in half the time.
package main

import (
	"os"

	"cutaway/final/toolbox"
)

func main() { os.Exit(toolbox.Run(os.Args)) }
