package discord_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"podium/bot/bottest"
	"podium/bot/discord"
	"podium/bot/store"
)

// TestSameShard sees that two processes with one shard are told of each other,
// and nobody of a process that has ended.
func TestSameShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := store.NewMemory()
		type process struct {
			*discord.Adapter
			log     *logBuffer
			problem func() string // what State says
			end     func()
		}
		start := func(token string, shard int) process {
			log := new(logBuffer)
			a, err := discord.New(discord.Options{
				Token: token, APIURL: "https://discord.invalid/", ShardID: shard, ShardCount: 2, Shards: memory,
				Handler: &bottest.Recorder{}, Seen: memory, References: memory, Log: slog.New(slog.NewTextHandler(log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				a.GuardShard(ctx)
			}()
			problem := func() string {
				if _, err := a.State(); err != nil {
					return err.Error()
				}
				return ""
			}
			return process{a, log, problem, func() { cancel(); <-ended }}
		}
		first := start("one", 0)
		other := start("one", 1)
		another := start("two", 0)
		defer other.end()
		defer another.end()
		time.Sleep(time.Minute)
		for _, p := range []process{first, other, another} {
			if p.problem() != "" {
				t.Errorf("alone with its shard, podium says %q", p.problem())
			}
		}
		second := start("one", 0)
		time.Sleep(30 * time.Second)
		for _, p := range []process{first, second} {
			if !strings.Contains(p.problem(), "shard 0 of 2") || !strings.Contains(p.problem(), "also run by process ") {
				t.Errorf("two with one shard: podium says %q", p.problem())
			}
			if log := p.log.String(); strings.Count(log, "level=ERROR") != 1 || strings.Contains(log, "token=one") {
				t.Errorf("two with one shard: the log is\n%s", log)
			}
		}
		if other.problem() != "" || another.problem() != "" {
			t.Error("who has another shard is told too")
		}
		second.end()
		time.Sleep(30 * time.Second)
		if first.problem() != "" || !strings.Contains(first.log.String(), "to itself again") {
			t.Errorf("after the other has ended, podium says %q\n%s", first.problem(), first.log)
		}
		first.end()
		// One that was killed has released nothing.
		if _, err := memory.HoldShard(t.Context(), first.ShardKey(), "process 1 on a host"); err != nil {
			t.Fatal(err)
		}
		next := start("one", 0)
		defer next.end()
		time.Sleep(2 * time.Minute)
		if next.problem() != "" {
			t.Errorf("after a crash of another, podium says %q", next.problem())
		}
	})
}
