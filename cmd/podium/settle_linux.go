package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back the pages of the program itself that have been used
// so far: most were for the start, such as the compressed model, the parsers and the
// migrations. They stay in the system's cache of the file, and what is used
// again comes back at once, by itself.
func releaseProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var begin, end uint64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			begin, end = 0, 0
			if strings.HasSuffix(lines.Text(), " "+program) && fields[1][1] == '-' {
				from, to, _ := strings.Cut(fields[0], "-")
				begin, _ = strconv.ParseUint(from, 16, 64)
				end, _ = strconv.ParseUint(to, 16, 64)
			}
		// What has been written to since is not in the file.
		case end > 0 && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED); errno != 0 {
				return errno
			}
		}
	}
	return lines.Err()
}
