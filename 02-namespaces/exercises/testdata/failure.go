package namespaces

import (
	"encoding/json"
	"errors"
	"os"
	"syscall"
)

// converseDeaf lets the child go on, and does not listen.
//
// Caught by: told failure
func converseDeaf(child *os.File) error {
	_, err := child.Write([]byte{proceed})
	return err
}

// converseExpectingBad takes the end of the file for an error.
//
// Caught by: error
func converseExpectingBad(child *os.File) error {
	if _, err := child.Write([]byte{proceed}); err != nil {
		return err
	}
	f := new(Failure)
	if err := json.NewDecoder(child).Decode(f); err != nil {
		return err
	}
	return f
}

// failureAsText says what anybody can read, and no program can.
//
// Caught by: call, path, errno
func failureAsText(step string, err error) *Failure { return &Failure{Step: step, Text: err.Error()} }

// failureUnwrapped looks at the outermost error only.
//
// Caught by: call, path, errno
func failureUnwrapped(step string, err error) *Failure {
	f := &Failure{Step: step, Text: err.Error()}
	if path, ok := err.(*os.PathError); ok {
		f.Call, f.Path = path.Op, path.Path
	}
	errors.As(err, &f.Errno)
	return f
}

// failureNeedingErrno believes that every error is one of the kernel.
//
// Caught by: told failure
func failureNeedingErrno(step string, err error) *Failure {
	f := failureUnwrapped(step, err)
	var call *os.SyscallError
	var path *os.PathError
	if errors.As(err, &path) {
		f.Call, f.Path = path.Op, path.Path
	}
	if errors.As(err, &call) {
		f.Call = call.Syscall
	}
	if f.Errno == syscall.Errno(0) {
		panic("not an error of the kernel")
	}
	return f
}
