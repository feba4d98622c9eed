package lab

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes gives a process a group of its own, the signal it gets when this
// process dies, and another user if there is one to change to. The signal is the
// polite one: a killed nginx master would leave its workers behind, an asked one
// takes them along.
func attributes(username string, onDeath syscall.Signal) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: onDeath}
	if username == "" || !isRoot() {
		return attr, nil
	}
	uid, gid, err := userIDs(username)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, nil
}

func userIDs(username string) (uid, gid int, err error) {
	account, err := user.Lookup(username)
	if err != nil {
		return 0, 0, fmt.Errorf("looking up user %q: %w", username, err)
	}
	if uid, err = strconv.Atoi(account.Uid); err != nil {
		return 0, 0, fmt.Errorf("reading the user id of %q: %w", username, err)
	}
	if gid, err = strconv.Atoi(account.Gid); err != nil {
		return 0, 0, fmt.Errorf("reading the group id of %q: %w", username, err)
	}
	return uid, gid, nil
}

// The group's id is its leader's process id, which stays taken until the leader
// has been waited for.

func killGroup(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGKILL) }

func suspend(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGSTOP) }

func resume(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGCONT) }

// The signals by which httpd and HAProxy's master take a new configuration.
const user1, user2 = syscall.SIGUSR1, syscall.SIGUSR2
