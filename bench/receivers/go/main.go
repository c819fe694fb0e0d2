// os/signal: the runtime's handler, its goroutine, a channel.
package main

import (
	"encoding/binary"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

const clockMonotonic = 1

func report() {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	var buffer [8]byte
	binary.LittleEndian.PutUint64(buffer[:], uint64(now.Nano()))
	os.Stdout.Write(buffer[:])
}

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	report() // ready
	for range signals {
		report()
	}
}
