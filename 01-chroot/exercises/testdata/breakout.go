package chroot

import (
	"os"

	"golang.org/x/sys/unix"
)

// DotDotTidily goes into the smaller jail, as one should, and cannot leave it.
//
// Caught by: root directory
func DotDotTidily() error {
	jail, err := os.Stat("/")
	if err != nil {
		return err
	}
	if err := chrootBelow("/"); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return climb(jail)
}

// climbThreeTimes knows how deep the author's own jail was.
//
// Caught by: root directory
func climbThreeTimes(os.FileInfo) error {
	if err := os.Chdir("../../.."); err != nil {
		return err
	}
	return unix.Chroot(".")
}

// climbAndStay is outside with its working directory only.
//
// Caught by: root directory
func climbAndStay(os.FileInfo) error {
	for range 100 {
		if err := os.Chdir(".."); err != nil {
			return err
		}
	}
	return nil
}

// climbBlindly believes that it is out.
//
// Caught by: verdict
func climbBlindly(os.FileInfo) error {
	for range 100 {
		if err := os.Chdir(".."); err != nil {
			return err
		}
	}
	return unix.Chroot(".")
}
