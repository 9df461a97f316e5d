package discord_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"podium/bot/bottest"
	"podium/bot/discord"
	"podium/bot/discord/discordtest"
)

func decode(t *testing.T, body []byte, out any) {
	t.Helper()
	if err := json.Unmarshal(body, out); err != nil {
		t.Fatal(err)
	}
}

func TestRegistersOnlyWhatDiffers(t *testing.T) {
	server := discordtest.New()
	defer server.Close()
	puts := func() int { return len(server.Requests("PUT /applications/")) }
	start := func(want int, change func(*options)) {
		t.Helper()
		s := prepareHarness(t, &bottest.Recorder{}, false, func(o *options) {
			o.APIURL = server.URL
			change(o)
		})
		defer s.Close()
		gets := len(server.Requests("GET /applications/"))
		s.run()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := server.Until(ctx, func() bool { return len(server.Requests("GET /applications/")) > gets && puts() >= want }); err != nil {
			t.Fatalf("%v\n%s", err, s.log)
		}
		// Whatever it still wants to send is sent before Run returns.
		s.cancel()
		<-s.ended
		if puts() != want {
			t.Errorf("%d overwrites so far, want %d", puts(), want)
		}
	}
	start(1, func(*options) {})
	start(1, func(*options) {})
	start(2, func(o *options) { o.Reminders = true })
	start(2, func(o *options) { o.Reminders, o.ApplicationID = true, discordtest.Application })
	start(3, func(o *options) { o.GuildID = discordtest.Guild })
	if got := server.Requests("PUT /applications/")[2].Path; got != "/applications/"+discordtest.Application+"/guilds/"+discordtest.Guild+"/commands" {
		t.Errorf("commands of one guild went to %s", got)
	}
	var list []struct {
		Name        string
		Permissions json.Number `json:"default_member_permissions"`
	}
	decode(t, server.Requests("PUT /applications/")[1].Body, &list)
	if len(list) != 2 || list[0].Name != "podium" || list[0].Permissions != "" || list[1].Permissions != "16" {
		t.Errorf("commands = %+v, want podium for all and reminders for those who manage channels (16)", list)
	}
	for _, p := range server.Problems() {
		t.Error(p)
	}
	if !discordtest.HasSpec() {
		t.Skip("not validated against Discord's own schema: ../" + discordtest.Spec + " is not there")
	}
}

func TestRegistrationRefused(t *testing.T) {
	s := prepareHarness(t, &bottest.Recorder{}, false)
	s.Intercept = func(r discordtest.Request) (int, http.Header, string, bool) {
		if strings.HasPrefix(r.Path, "/applications/") {
			return 403, nil, `{"code":50001,"message":"Missing Access"}`, false
		}
		return 0, nil, "", false
	}
	s.run()
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Until(ctx, func() bool { return len(s.Requests("GET /applications/")) == 1 }); err != nil {
		t.Fatal(err)
	}
	if got := s.asks(t, "still answering").Text; !strings.Contains(got, "still answering") {
		t.Errorf("podium said %q", got)
	}
	// Discord has noted the request before podium has its answer.
	for !strings.Contains(s.log.String(), "discord refused podium's commands") && ctx.Err() == nil {
		<-time.After(5 * time.Millisecond)
	}
	s.cancel()
	<-s.ended
	if n := len(s.Requests("GET /applications/")); n != 1 || !strings.Contains(s.log.String(), "podium manifest discord") {
		t.Errorf("%d look-ups, want 1 and the remedy in the log:\n%s", n, s.log)
	}
}

func TestPermissionsAreTheLeast(t *testing.T) {
	var all int64
	for _, p := range discord.Permissions() {
		if p.Reason == "" {
			t.Errorf("%s has no reason", p.Name)
		}
		all |= p.Bit
	}
	if all != 274877991936 {
		t.Errorf("permissions = %d", all)
	}
}
