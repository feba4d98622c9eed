//go:build !linux

package lab

import (
	"errors"
	"os"
	"syscall"
)

var errOnlyLinux = errors.New("the lab can do this on Linux only")

// attributes leaves a server in the group of the tests, so that an interrupt from the
// terminal reaches it: there is no parent-death signal here.
func attributes(string, syscall.Signal) (*syscall.SysProcAttr, error) { return nil, nil }

func userIDs(string) (uid, gid int, err error) { return 0, 0, errOnlyLinux }

func killGroup(leader *os.Process) error { return leader.Kill() }

func suspend(*os.Process) error { return errOnlyLinux }

func resume(*os.Process) error { return errOnlyLinux }

// user1 and user2 exist on Linux: sending them elsewhere is an error.
const user1, user2 = syscall.Signal(0), syscall.Signal(0)
