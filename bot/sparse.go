package bot

import (
	"sync/atomic"
	"time"
)

// Sparse is for lines that strangers could fill the log with. It is safe for
// concurrent use, and ready as it is.
type Sparse struct{ last atomic.Int64 }

// Due is true once a minute.
func (s *Sparse) Due() bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return now-last >= int64(time.Minute) && s.last.CompareAndSwap(last, now)
}
