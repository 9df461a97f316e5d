package discord

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// shards knows which process runs which shard.
type shards interface {
	// HoldShard notes that holder runs shard, and returns who else has said so
	// in the last minutes, and when last.
	HoldShard(ctx context.Context, shard, holder string) (others map[string]time.Time, err error)
	// ReleaseShard notes that holder no longer runs shard.
	ReleaseShard(ctx context.Context, shard, holder string) error
}

const (
	holdEvery = 5 * time.Second
	// Another process that has not renewed its claim for so many looks has
	// ended; one that has never renewed it had ended before this one began.
	silentLooks = 3
)

// A rival is another process that has claimed this one's shard.
type rival struct {
	said   time.Time // when it last did
	silent int       // looks since
}

// guardShard says, until ctx is done, when another process runs the same shard
// of the same token: Discord sends both of them everything. Both go on.
func (a *Adapter) guardShard(ctx context.Context) error {
	id := make([]byte, 2)
	rand.Read(id)
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	holder := fmt.Sprintf("process %d on %s (%x)", os.Getpid(), host, id)
	shard := a.shardKey()
	rivals := make(map[string]*rival)
	for {
		others, err := a.o.Shards.HoldShard(ctx, shard, holder)
		if err == nil {
			a.compare(rivals, others)
		} else if ctx.Err() == nil {
			a.log.Debug("podium can not tell whether another process has its shard", "error", err)
		}
		if sleep(ctx, holdEvery) != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := a.o.Shards.ReleaseShard(ctx, shard, holder); err != nil {
		a.log.Debug("podium could not release its shard; others forget it within minutes", "error", err)
	}
	return nil
}

// shardKey names the shard in the store. The token itself stays out of it.
func (a *Adapter) shardKey() string {
	sum := sha256.Sum256([]byte("shard of " + a.gateway.token))
	return fmt.Sprintf("%s %d/%d", hex.EncodeToString(sum[:8]), a.gateway.shard[0], a.gateway.shard[1])
}

// compare notes who of others is alive, and says so when that has changed.
func (a *Adapter) compare(rivals map[string]*rival, others map[string]time.Time) {
	maps.DeleteFunc(rivals, func(holder string, _ *rival) bool { return others[holder].IsZero() })
	var alive []string
	for holder, said := range others {
		r := rivals[holder]
		switch {
		case r == nil:
			r = &rival{said: said, silent: silentLooks}
			rivals[holder] = r
		case !said.Equal(r.said):
			r.said, r.silent = said, 0
		default:
			r.silent++
		}
		if r.silent < silentLooks {
			alive = append(alive, holder)
		}
	}
	slices.Sort(alive)
	var problem error
	if len(alive) > 0 {
		problem = fmt.Errorf("shard %d of %d of the same token is also run by %s: stop one, or give each a PODIUM_DISCORD_SHARD_ID of its own and all the same PODIUM_DISCORD_SHARD_COUNT",
			a.gateway.shard[0], a.gateway.shard[1], strings.Join(alive, " and "))
	}
	before := a.shared.Swap(&problem)
	switch {
	case problem != nil && (before == nil || *before == nil || (*before).Error() != problem.Error()):
		a.log.Error("two processes have the same shard", "error", problem)
	case problem == nil && before != nil && *before != nil:
		a.log.Info("podium has its shard to itself again")
	}
}
