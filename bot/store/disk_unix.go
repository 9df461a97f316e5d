//go:build linux || darwin

package store

import "syscall"

// freeBytes is how much an ordinary user can still write to the disk that
// holds dir.
func freeBytes(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
