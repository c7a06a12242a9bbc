// Command book checks the Markdown of this repository against its code, or with -w corrects it.
//
//	go run ./chapters/cmd/book          # say what is not right
//	go run ./chapters/cmd/book -w       # fill the listings
//	go run ./chapters/cmd/book -w -run  # run the scripts too, and fill the transcripts (root, bin/cutaway)
//	go run ./chapters/cmd/book -w -run chapters/03-cgroups.md
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"

	"cutaway/chapters/book"
)

// options are the command's flags.
type options struct {
	root       string
	write, run bool
	only       []string // pages; none = all
}

func main() {
	var o options
	flag.StringVar(&o.root, "C", ".", "the repository's `directory`")
	flag.BoolVar(&o.write, "w", false, "write the pages instead of checking them")
	flag.BoolVar(&o.run, "run", false, "run the scripts of transcripts")
	flag.Parse()
	o.only = flag.Args()
	problems, err := o.check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "book:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stderr, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check goes through all pages and returns what is wrong with them, or still wrong after writing.
func (o options) check() ([]string, error) {
	pages, err := book.Pages(o.root)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, old := range pages {
		if len(o.only) > 0 && !slices.Contains(o.only, old.Path) {
			continue
		}
		page, problems := old.Listings()
		if o.run {
			var more []string
			page, more = page.Transcripts()
			problems = append(problems, more...)
		}
		all = append(all, append(problems, page.BrokenLinks()...)...)
		switch {
		case page.Text == old.Text:
		case !o.write:
			all = append(all, old.Path+": stale: go run ./chapters/cmd/book -w")
		default:
			if err := page.Write(); err != nil {
				return nil, err
			}
			fmt.Println("wrote", page.Path)
		}
	}
	return all, nil
}
