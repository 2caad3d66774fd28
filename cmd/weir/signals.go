package main

import (
	"os"
	"syscall"
)

// handled are the signals that serve acts on.
var handled = []os.Signal{syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR1}

func isReload(s os.Signal) bool { return s == syscall.SIGHUP }

func isReopen(s os.Signal) bool { return s == syscall.SIGUSR1 }
