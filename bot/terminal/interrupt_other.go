//go:build !unix

package terminal

import "os"

// interruptible is the file itself: the read of a console can not be ended
// here, so that Run returns with the next line.
type interruptible struct{ *os.File }

func newInterruptible(f *os.File) (*interruptible, error) { return &interruptible{f}, nil }

// Stop does nothing.
func (r *interruptible) Stop() {}

// Close leaves the file open: it is the caller's.
func (r *interruptible) Close() {}
