// Command exercise hands out a chapter's exercises, and grades them.
//
//	exercise copy 01 [DIR]                       write a learner's copy of chapter 1 to mine/01-chroot, or DIR
//	exercise grade [-json] [-limit 1m] 01 [DIR]  grade it: exit status 0 for full marks, 1 for less
//	exercise list [01]                           print the tasks
//	exercise book                                write the tasks into the chapters' pages
//
// "make exercise CH=01" and "make grade CH=01" call it. -C names the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"cutaway/chapters/exercise"
)

const usage = `usage:
  exercise [-C ROOT] copy CHAPTER [DIR]
  exercise [-C ROOT] grade [-json] [-limit 1m] CHAPTER [DIR]
  exercise list [CHAPTER]
  exercise [-C ROOT] book`

// errShort is the exit status of a grading that ended short of full marks. Everything has been said.
var errShort = errors.New("short of full marks")

func main() {
	root := flag.String("C", ".", "the repository's `directory`")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage) }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	err := run(ctx, *root, flag.Args())
	stop()
	switch {
	case errors.Is(err, errShort):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "exercise:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, root string, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch verb, args := args[0], args[1:]; verb {
	case "list":
		return printTasks(args)
	case "book":
		return writeSections(root)
	case "copy":
		return handOut(root, args)
	case "grade":
		return grade(ctx, root, args)
	}
	return errors.New(usage)
}

// chosen is the chapter and the learner's directory that arguments name.
func chosen(root string, args []string) (l exercise.List, dir string, err error) {
	if len(args) == 0 {
		return l, "", errors.New("which chapter? CH=01, for example")
	}
	if len(args) > 2 {
		return l, "", errors.New(usage)
	}
	if l, err = list(args[0]); err != nil {
		return l, "", err
	}
	if len(args) == 2 {
		return l, filepath.Clean(args[1]), nil
	}
	return l, filepath.Join(root, "mine", l.Dir), nil
}

// handOut writes a copy and says what to do with it.
func handOut(root string, args []string) error {
	l, dir, err := chosen(root, args)
	if err != nil {
		return err
	}
	files, err := l.Copy(root, dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s is yours. The tasks stand in %s, and all together in README.md:\n\n", dir, strings.Join(files, ", "))
	for _, e := range l.Exercises {
		fmt.Printf("  %-12s %d   %s\n", e.Name, e.Points, e.Title)
	}
	fmt.Printf("\n%d points. %s tells how many of them you have.\n", l.Points(), gradeCommand(l, root, dir))
	return nil
}

func gradeCommand(l exercise.List, root, dir string) string {
	number, _, _ := strings.Cut(l.Dir, "-")
	command := "make grade CH=" + number
	if dir != filepath.Join(root, "mine", l.Dir) {
		command += " DIR=" + dir
	}
	return command
}

func grade(ctx context.Context, root string, args []string) error {
	flags := flag.NewFlagSet("grade", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "write the report as JSON")
	limit := flags.Duration("limit", 0, "how long an exercise may take; 0 = 20s")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, dir, err := chosen(root, flags.Args())
	if err != nil {
		return err
	}
	r, err := exercise.Grading{Root: root, Copy: dir, List: l, Limit: *limit}.Grade(ctx)
	if err != nil {
		return err
	}
	show := r.Text
	if *asJSON {
		show = r.JSON
	}
	if err := show(os.Stdout); err != nil {
		return err
	}
	if !r.Full() {
		return errShort
	}
	return nil
}

func printTasks(args []string) error {
	some := lists
	if len(args) > 0 {
		l, err := list(args[0])
		if err != nil {
			return err
		}
		some = []exercise.List{l}
	}
	for _, l := range some {
		fmt.Printf("%s, %d points\n\n%s\n", l.Dir, l.Points(), l.Section())
	}
	return nil
}
