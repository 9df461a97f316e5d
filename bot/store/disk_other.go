//go:build !linux && !darwin

package store

import "errors"

// freeBytes is not known here.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }

// owner is not known here.
func owner(string) (uid, gid int, ok bool) { return 0, 0, false }
