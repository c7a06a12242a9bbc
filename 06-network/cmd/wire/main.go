// Command wire builds a network for two containers, without containers: a
// bridge, two network namespaces, cables, addresses, and a published port. It
// prints each command that would do the same, tries the wires, and takes all
// down again.
//
//	sudo go run ./06-network/cmd/wire [-wait]
//
// All of it happens in a network namespace that plays the host, so nothing of
// your machine's own network is touched. With -wait it stops before it takes
// everything down, for you to look around.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	network "cutaway/06-network"
)

func main() {
	wait := flag.Bool("wait", false, "wait for Enter before taking everything down")
	flag.Parse()
	w := wire{pause: func() {}}
	if *wait {
		w.pause = pause
	}
	if err := w.run(); err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

// wire is one run: what was done so far, and what to do at the end.
type wire struct {
	net   *network.Network
	dir   string
	done  []network.Step
	pause func()
}

func (w *wire) run() (err error) {
	runtime.LockOSThread() // this thread is the host from here on
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace to play the host: %w (are you root?)", err)
	}
	w.dir, err = os.MkdirTemp("/run", "wire")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.takeDown(), os.RemoveAll(w.dir)) }()
	w.net, err = network.Open(network.OpenOptions{Dir: w.dir})
	if err != nil {
		return err
	}
	fmt.Println("# The host: loopback, bridge, routing, firewall.")
	if err := w.do(append([]network.Step{network.Up{Link: "lo"}}, w.net.Base()...)); err != nil {
		return err
	}
	return w.connect()
}

func (w *wire) connect() error {
	red, err := w.box("red")
	if err != nil {
		return err
	}
	blue, err := w.box("blue", network.Port{Protocol: "tcp", HostPort: 8080, Target: 80})
	if err != nil {
		return err
	}
	fmt.Println("\n# Do the wires carry?")
	l, err := greet(blue.NetNS)
	if err != nil {
		return err
	}
	defer l.Close()
	for _, try := range []struct{ what, netns, addr string }{
		{"red asks blue", red.NetNS, blue.Address.String() + ":80"},
		{"the host asks blue", "", blue.Address.String() + ":80"},
		{"the host asks itself at the published port", "", "127.0.0.1:8080"},
		{"red asks the host at the published port", red.NetNS, w.net.Gateway().String() + ":8080"},
	} {
		answer, err := ask(try.netns, try.addr)
		if err != nil {
			return fmt.Errorf("%s: %w", try.what, err)
		}
		fmt.Printf("%s, %s: %s\n", try.what, try.addr, answer)
	}
	w.pause()
	return nil
}

// box wires one namespace.
func (w *wire) box(name string, ports ...network.Port) (network.Endpoint, error) {
	fmt.Printf("\n# A namespace called %s.\n", name)
	addr, err := w.net.Allocate(name, netip.Addr{})
	if err != nil {
		return network.Endpoint{}, err
	}
	e := network.Endpoint{ID: name, NetNS: filepath.Join(w.dir, name), Address: addr, Ports: ports}
	return e, w.do(w.net.Steps(e))
}

func (w *wire) do(steps []network.Step) error {
	for _, s := range steps {
		fmt.Println(s)
		w.done = append(w.done, s)
		if err := s.Do(); err != nil {
			return err
		}
	}
	return nil
}

func (w *wire) takeDown() (err error) {
	for _, s := range slices.Backward(w.done) {
		if u, ok := s.(interface{ Undo() error }); ok {
			err = errors.Join(err, u.Undo())
		}
	}
	fmt.Println("\n# All taken down.")
	return err
}

func pause() {
	fmt.Printf("\n# Look around, in another terminal:\n")
	fmt.Printf("sudo nsenter --net=/proc/%d/task/%d/ns/net\n", os.Getpid(), unix.Gettid())
	fmt.Println("# Then press Enter here.")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// greet answers at port 80 in a namespace until the listener is closed.
func greet(netns string) (l net.Listener, err error) {
	err = network.Inside(netns, func() error {
		l, err = net.Listen("tcp4", ":80")
		return err
	})
	if err != nil {
		return nil, err
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			fmt.Fprintf(c, "blue greets %s", c.RemoteAddr().(*net.TCPAddr).IP)
			c.Close()
		}
	}()
	return l, nil
}

// ask returns what is said at the address to somebody in a namespace; "" is the host.
func ask(netns, addr string) (string, error) {
	var c net.Conn
	dial := func() (err error) {
		c, err = net.DialTimeout("tcp4", addr, 10*time.Second)
		return err
	}
	var err error
	if netns == "" {
		err = dial()
	} else {
		err = network.Inside(netns, dial)
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	data, err := io.ReadAll(c)
	return string(data), err
}
