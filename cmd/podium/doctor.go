package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"podium/bot"
	"podium/bot/store"
	"podium/config"
	"podium/knowledge"
)

func newDoctor(p *program) *cobra.Command {
	var offline, asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether all is well: settings, knowledge, database, platforms; each finding with its remedy",
		Long: `Look whether all is well, and print a line for each finding: ok, warn or FAIL, what was found, and what to do.
It changes nothing, and works beside a podium serve. Of the platforms it asks who podium is, what it may do, and
whether it may post in the channels that have reminders; Slack is asked for the address of a Socket Mode connection,
which is not opened. Exit code 1 says that a check failed, 2 that the settings can not be used at all.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := bufio.NewWriter(p.stdout)
			d := &doctor{out: out, asJSON: asJSON}
			if err := p.doctor(cmd, d, offline); err != nil {
				return err
			}
			switch {
			case d.err != nil:
				return d.err
			case d.failed == 1:
				return errors.New("1 check failed")
			case d.failed > 0:
				return fmt.Errorf("%d checks failed", d.failed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "look at what needs no network")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	config.AddFlags(cmd.Flags(), serveFlags...)
	return cmd
}

// A doctor prints findings as they come, and counts those that failed.
type doctor struct {
	out    *bufio.Writer
	asJSON bool
	failed int
	err    error // of out
}

func (d *doctor) tell(list ...bot.Finding) {
	for _, f := range list {
		if f.Level == bot.Fail {
			d.failed++
		}
		if d.asJSON {
			encode := json.NewEncoder(d.out)
			encode.SetEscapeHTML(false)
			_ = encode.Encode(struct {
				Level  bot.Level `json:"level"`
				About  string    `json:"about"`
				What   string    `json:"what"`
				Remedy string    `json:"remedy"`
			}{f.Level, f.About, f.What, f.Remedy}) // an error of out's shows when it is flushed
		} else {
			line := fmt.Sprintf("%-4s  %s: %s", f.Level, f.About, f.What)
			if f.Remedy != "" {
				line += " -> " + f.Remedy
			}
			fmt.Fprintln(d.out, bot.Printable(strings.ReplaceAll(line, "\n", " ")))
		}
		d.err = cmp.Or(d.err, d.out.Flush())
	}
}

// doctor looks at everything in turn: first at what is on this machine.
func (p *program) doctor(cmd *cobra.Command, d *doctor, offline bool) error {
	ctx := cmd.Context()
	s, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if err := checkProxy(); err != nil {
		return err
	}
	adapters, err := p.newAdapters(s, nil, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	d.tell(checkKnowledge(s.Knowledge))
	d.tell(bot.Finding{Level: bot.OK, About: "time zone", What: fmt.Sprintf("%s, where it is %s", s.Timezone, time.Now().In(s.Timezone).Format("Mon 2 Jan 15:04"))})
	d.tell(checkAddress(ctx, s.HTTP.Addr))
	var reminders []bot.Reminder
	if address := s.Store.URL.Reveal(); offline && !strings.HasPrefix(address, "sqlite:") {
		fmt.Fprintln(p.stderr, "podium: --offline: the database server is not asked")
	} else {
		asking, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		var list []bot.Finding
		list, reminders = store.Inspect(asking, address)
		d.tell(list...)
	}
	if len(adapters) == 0 {
		d.tell(bot.Finding{Level: bot.Warn, About: "platforms", What: "none is configured; podium chat works all the same",
			Remedy: "set PODIUM_SLACK_BOT_TOKEN and PODIUM_SLACK_APP_TOKEN (or PODIUM_SLACK_SIGNING_SECRET), or PODIUM_DISCORD_TOKEN"})
	}
	for _, a := range adapters {
		c, ok := a.(bot.Checker)
		if !ok {
			continue
		}
		if offline {
			fmt.Fprintf(p.stderr, "podium: --offline: %s is not asked\n", a.Platform())
		}
		list := c.Check(ctx, offline)
		d.tell(list...)
		silent := slices.ContainsFunc(list, func(f bot.Finding) bool {
			return f.Level == bot.Fail && (f.About == a.Platform() || f.About == a.Platform()+" token")
		})
		if poster, ok := a.(bot.Poster); ok && !offline && !silent {
			d.tell(checkChannels(ctx, a.Platform(), poster, reminders)...)
		}
	}
	return nil
}

// proxies are the kinds of proxy that net/http knows.
var proxies = []string{"http", "https", "socks5", "socks5h"}

// checkProxy finds a proxy setting that can not be used. The error of whoever
// comes upon it later may quote it, and with it a password; what is no address
// Go reads as a host and a path.
func checkProxy() error {
	r, err := http.NewRequest(http.MethodGet, "https://slack.com/", nil)
	var proxy *url.URL
	if err == nil {
		proxy, err = http.ProxyFromEnvironment(r)
	}
	if err != nil || proxy != nil && (proxy.Hostname() == "" || strings.Trim(proxy.Path, "/") != "" || !slices.Contains(proxies, proxy.Scheme)) {
		return &bot.ConfigError{Setting: "HTTPS_PROXY", Problem: "is not an address such as http://proxy.example.org:3128"}
	}
	return nil
}

func checkKnowledge(path string) bot.Finding {
	f := bot.Finding{Level: bot.OK, About: "knowledge"}
	base, err := loadUnnamed(path)
	if findings, ok := errors.AsType[knowledge.Findings](err); ok {
		f.Level, f.What = bot.Fail, fmt.Sprintf("%s does not pass the gate: %s", path, findings[0])
		if n := len(findings) - 1; n > 0 {
			f.What += fmt.Sprintf(", and %d more", n)
		}
		f.Remedy = "podium check tells all of it; podium serve does not start before it is mended"
		return f
	}
	if err != nil {
		f.Level, f.What, f.Remedy = bot.Fail, err.Error(), "let PODIUM_KNOWLEDGE name a file that podium may read"
		return f
	}
	name := cmp.Or(path, "the built-in announcement")
	f.What = fmt.Sprintf("%s passes the gate: %d intents, %d sentences", name, len(base.Intents), len(base.Sentences))
	// Nobody here can mend the built-in one.
	if n := len(base.Warnings(name, time.Now())); n > 0 && path != "" {
		f.Level, f.What, f.Remedy = bot.Warn, fmt.Sprintf("%s; %d warnings", f.What, n), "podium check tells them"
	}
	return f
}

// checkAddress looks whether serve can listen on addr, or does already.
func checkAddress(ctx context.Context, addr string) bot.Finding {
	f := bot.Finding{Level: bot.OK, About: "http address"}
	l, err := net.Listen("tcp", addr)
	if err == nil {
		l.Close()
		f.What = addr + " is free"
		return f
	}
	f.Level = bot.Fail
	f.What, f.Remedy = noListener(addr, err)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return f
	}
	switch ready, ok := askReady(ctx, addr); {
	case !ok:
	case ready.Database == "up":
		f.Level, f.What, f.Remedy = bot.OK, addr+" is held by a running podium, which is ready", ""
		for platform, state := range ready.Platforms {
			if state != bot.Connected {
				f.Level, f.What = bot.Warn, fmt.Sprintf("%s is held by a running podium whose %s is %s", addr, platform, state)
				f.Remedy = "its log says why"
			}
		}
	default:
		f.What, f.Remedy = addr+" is held by a running podium that is not ready: "+ready.Reasons["database"], "its log says why"
	}
	return f
}

// askReady asks for /readyz at addr; ok is false if that is no podium.
func askReady(ctx context.Context, addr string) (ready readiness, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(addr)+"/readyz", nil)
	if err != nil {
		return ready, false
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	answer, err := client.Do(r)
	if err != nil {
		return ready, false
	}
	defer answer.Body.Close()
	err = json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&ready)
	return ready, err == nil && ready.Database != ""
}

// So many channels are looked at: platforms limit how often they are asked.
const mostChannels = 40

// checkChannels looks whether podium may post where reminders are to go, those
// that are due first before the others.
func checkChannels(ctx context.Context, platform string, poster bot.Poster, reminders []bot.Reminder) []bot.Finding {
	about := platform + " channels"
	var channels []bot.Reminder // one of each
	seen := make(map[string]bool)
	for _, r := range reminders {
		if r.Platform == platform && !seen[r.Channel] {
			seen[r.Channel] = true
			channels = append(channels, r)
		}
	}
	if len(channels) == 0 {
		return []bot.Finding{{Level: bot.OK, About: about, What: "no reminder is active"}}
	}
	var list []bot.Finding
	looked := min(len(channels), mostChannels)
	for _, r := range channels[:looked] {
		asking, cancel := context.WithTimeout(ctx, 15*time.Second)
		err := poster.CanPost(asking, r.Channel)
		cancel()
		if err == nil {
			continue
		}
		f := bot.Finding{Level: bot.Warn, About: about, Remedy: "try again"}
		what := fmt.Sprintf("whether podium may post the reminder %s in %s can not be told", r.ID, cmp.Or(r.Label, r.Channel))
		if e, ok := errors.AsType[*bot.PostError](err); ok && e.Reason != bot.RateLimited {
			f.Level, f.Remedy = bot.Fail, strings.TrimSuffix(e.Remedy, ".")
			what = fmt.Sprintf("podium may not post the reminder %s in %s", r.ID, cmp.Or(r.Label, r.Channel))
		}
		f.What = what + ": " + err.Error()
		list = append(list, f)
	}
	if len(list) == 0 {
		list = []bot.Finding{{Level: bot.OK, About: about, What: fmt.Sprintf("podium may post in all %d that have reminders", looked)}}
		if looked < len(channels) {
			list[0].What = fmt.Sprintf("podium may post in the %d whose reminders are due first; %d more were not looked at", looked, len(channels)-looked)
		}
	}
	return list
}
