//go:build unix

package terminal

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// interruptible reads a file until Stop is called, which ends a Read with
// io.EOF even while it waits for a person.
type interruptible struct {
	Stop    func()
	f, wake *os.File // wake is at its end once Stop has been called
}

func newInterruptible(f *os.File) (*interruptible, error) {
	wake, stop, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &interruptible{sync.OnceFunc(func() { stop.Close() }), f, wake}, nil
}

// Close gives back all but the file.
func (r *interruptible) Close() {
	r.Stop()
	r.wake.Close()
}

func (r *interruptible) Read(p []byte) (int, error) {
	in, wake := int(r.f.Fd()), int(r.wake.Fd())
	if max(in, wake) >= unix.FD_SETSIZE {
		return r.f.Read(p)
	}
	for {
		var set unix.FdSet
		set.Set(in)
		set.Set(wake)
		_, err := unix.Select(max(in, wake)+1, &set, nil, nil, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("select", err)
		case set.IsSet(wake):
			return 0, io.EOF
		default:
			return r.f.Read(p)
		}
	}
}
