package memory

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
)

// programs are all that the image "toolbox" holds. A program reads and writes its
// process, ends when that gets a signal, and returns an exit code.
var programs = map[string]func(p *process) int{
	"cat":   cat,
	"echo":  echo,
	"exit":  func(p *process) int { return number(p, 0) },
	"false": func(*process) int { return 1 },
	"sleep": sleep,
	"stty":  stty,
	"true":  func(*process) int { return 0 },
	"warn":  warn,
	"yes":   yes,
}

func echo(p *process) int {
	fmt.Fprintln(p, strings.Join(p.args[1:], " "))
	return 0
}

// warn is echo to standard error.
func warn(p *process) int {
	_, _ = p.write(stdcopy.Stderr, []byte(strings.Join(p.args[1:], " ")+"\n"))
	return 0
}

func cat(p *process) int {
	if _, err := io.Copy(p, p); err != nil {
		return 1
	}
	return 0
}

func sleep(p *process) int {
	select {
	case <-time.After(time.Duration(number(p, 0)) * time.Second):
	case <-p.signal:
	}
	return 0
}

// stty waits until the terminal has a size, and prints it.
func stty(p *process) int {
	for {
		p.mu.Lock()
		size, changed := p.size, p.changed
		p.mu.Unlock()
		if size.Height > 0 {
			fmt.Fprintln(p, size.Height, size.Width)
			return 0
		}
		select {
		case <-changed:
		case <-p.signal:
			return 1
		}
	}
}

// yes writes a line for ever, or as often as its argument says.
func yes(p *process) int {
	for n := number(p, -1); n != 0; n-- {
		if _, err := io.WriteString(p, "y\n"); err != nil {
			return 1
		}
	}
	return 0
}

// number is a program's first argument, or what there is instead.
func number(p *process, instead int) int {
	if len(p.args) < 2 {
		return instead
	}
	n, err := strconv.Atoi(p.args[1])
	if err != nil {
		return instead
	}
	return n
}
