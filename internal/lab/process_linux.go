package lab

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// attributes gives a process its own group, a signal at the death of this process, and
// another user if requested. The signal is the one for a clean stop: a killed nginx
// master would leave its workers behind.
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

// killGroup kills the process group. Its id is the leader's process id, which stays reserved
// until the leader has been waited for.
func killGroup(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGKILL) }

func suspend(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGSTOP) }

func resume(leader *os.Process) error { return syscall.Kill(-leader.Pid, syscall.SIGCONT) }

// user1 and user2 are the signals for a reload of httpd and of HAProxy's master.
const user1, user2 = syscall.SIGUSR1, syscall.SIGUSR2
