package probes

import "syscall"

// ownErrors are errors of the machine that stickwatch runs on, whatever the target is
// like: no descriptor, port, buffer or memory left, a network interface that is down,
// a firewall or a rule that lets nothing out.
//
// That a network is unreachable is not among them: a router says so of a network that
// is down, and a machine without IPv6 of every IPv6 address.
var ownErrors = []error{
	syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.ENETDOWN, syscall.EPERM, syscall.EACCES,
}

// LocalAddress reports whether an error of connecting says that this machine could not, and
// nothing of whom it was to reach.
func LocalAddress(err error) bool { return isAny(err, ownErrors...) }
