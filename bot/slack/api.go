package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"podium/bot"
)

// eventType names the metadata by which podium finds its own posts again.
const eventType = "podium_post"

// tries is how often a message is sent that Slack did not take for now.
const tries = 6

// remedies says, for the errors that a person can mend, what is wrong and what to do about it.
var remedies = map[string]string{
	"invalid_auth":                          "Slack does not accept PODIUM_SLACK_BOT_TOKEN: reinstall the app and set the new Bot User OAuth Token",
	"not_authed":                            "Slack does not accept PODIUM_SLACK_BOT_TOKEN: reinstall the app and set the new Bot User OAuth Token",
	"account_inactive":                      "the app was removed from the workspace, and PODIUM_SLACK_BOT_TOKEN with it: install it again and set the new Bot User OAuth Token",
	"token_revoked":                         "PODIUM_SLACK_BOT_TOKEN was revoked: reinstall the app and set the new Bot User OAuth Token",
	"token_expired":                         "PODIUM_SLACK_BOT_TOKEN has expired: switch token rotation off for the app, reinstall it and set the new token",
	"missing_scope":                         "the app lacks a permission: give it the scopes of `podium manifest slack` and reinstall it",
	"not_allowed_token_type":                "the wrong kind of token: the bot token starts with xoxb-, the app token with xapp-",
	"not_in_channel":                        "podium is not a member of the channel: invite it with /invite @podium",
	"channel_not_found":                     "the channel is gone, or private and podium is not a member: invite it with /invite @podium",
	"is_archived":                           "the channel is archived: unarchive it, or choose another",
	"restricted_action":                     "the workspace lets only some people post in the channel: ask a workspace admin to let apps post there",
	"restricted_action_read_only_channel":   "the channel is read-only: ask a workspace admin to let apps post there",
	"restricted_action_thread_only_channel": "the channel takes replies in threads only: choose another",
	"msg_too_long":                          "Slack found the message too long: shorten the answer in the knowledge file",
	"msg_blocks_too_long":                   "Slack found the message too long: shorten the answer in the knowledge file",
	"invalid_blocks":                        "Slack did not understand the message's layout: this is a fault of podium's, please report it",
}

// refused is the errors by which Slack says that the credentials are no good.
var refused = []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}

// code is the error code that Slack answered, or empty.
func code(err error) string {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*slack.SlackErrorResponse](err); ok {
		return e.Err
	}
	return ""
}

// trouble is what a line of the log has to tell of an outage. err may be nil.
func trouble(err error) []any {
	if err == nil {
		return nil
	}
	attrs := []any{"error", err}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		attrs[1] = fmt.Errorf("another site answers at PODIUM_SLACK_API_URL, or a proxy in its place: %w", err)
	}
	if advice := bot.Advice(err); advice != "" {
		attrs = append(attrs, "remedy", advice)
	}
	return attrs
}

// remedy is what a person can do about err, or empty.
func remedy(err error) string {
	text := remedies[code(err)]
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok && e.Needed != "" && text != "" {
		text += " (needed: " + e.Needed + ")"
	}
	return text
}

// report logs what became of a call to Slack, with cause and remedy and without any text of a message. It returns err.
func (a *Adapter) report(ctx context.Context, call, ref string, err error) error {
	if err == nil {
		return nil
	}
	attrs := []any{"call", call, "error", err}
	if r := remedy(err); r != "" {
		attrs = append(attrs, "remedy", r)
	}
	if ref != "" {
		attrs = append(attrs, "intent", ref)
	}
	a.log.ErrorContext(ctx, "Slack did not take what podium sent", attrs...)
	return err
}

// pause is how long to wait before sending again what Slack surely did not take, and whether it is worth it.
func pause(err error, attempt int) (time.Duration, bool) {
	growing := time.Second << min(attempt, 5)
	if e, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return max(e.RetryAfter, time.Second), true
	}
	if e, ok := errors.AsType[slack.StatusCodeError](err); ok && e.Code == http.StatusTooManyRequests {
		return growing, true
	}
	if c := code(err); c == "ratelimited" || c == "rate_limited" {
		return growing, true
	}
	// Where not even a connection came about, nothing was sent. After any other error it may have been, and a second
	// answer is worse than none.
	if e, ok := errors.AsType[*net.OpError](err); ok && e.Op == "dial" {
		return growing, true
	}
	return 0, false
}

// insist calls f until it succeeds, fails for good, or has been told to wait too often.
func (a *Adapter) insist(ctx context.Context, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil {
			return nil
		}
		wait, again := pause(err, attempt)
		if !again || attempt == tries-1 {
			return err
		}
		if _, unreachable := errors.AsType[*net.OpError](err); !unreachable {
			a.meter.RateLimited(bot.Slack, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

func (m outgoing) options(thread string) slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(m.text, false),
		slack.MsgOptionBlocks(sdkBlocks(m.blocks)...),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionParse(false),
	}
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	return slack.MsgOptionCompose(options...)
}

// post sends messages to channel, the first into thread if there is one, the others into the thread that the first
// stands in or opens. The error is the first message's; failures of the others are logged.
func (a *Adapter) post(ctx context.Context, channel, thread, ref string, messages []outgoing) (sent bot.MessageRef, err error) {
	sent.Platform = bot.Slack
	for i, m := range messages {
		err := a.insist(ctx, func() error {
			in, ts, err := a.api.PostMessageContext(ctx, channel, m.options(thread))
			if i == 0 && err == nil {
				// A direct message may be addressed to a user; the channel is in the answer.
				sent.Channel, sent.ID = cmp.Or(in, channel), ts
			}
			return err
		})
		if i == 0 {
			if err != nil {
				return sent, err
			}
			channel, thread = sent.Channel, cmp.Or(thread, sent.ID)
		} else if err != nil {
			a.report(ctx, "chat.postMessage", ref, err)
			break
		}
	}
	return sent, nil
}

// whisper shows messages to one user alone.
func (a *Adapter) whisper(ctx context.Context, channel, user, thread string, messages []outgoing) error {
	for _, m := range messages {
		if err := a.insist(ctx, func() error {
			_, err := a.api.PostEphemeralContext(ctx, channel, user, m.options(thread))
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// appendResponse appends m to dst as slash commands' answers and response URLs take it, in thread if there is one.
func (m *outgoing) appendResponse(dst []byte, kind, thread string) []byte {
	dst = append(append(append(dst, `{"response_type":"`...), kind...), `","replace_original":false`...)
	if thread != "" {
		dst = appendString(append(dst, `,"thread_ts":`...), thread)
	}
	dst = appendString(append(dst, `,"text":`...), m.text)
	for i := range m.blocks {
		if i == 0 {
			dst = append(dst, `,"blocks":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = m.blocks[i].appendJSON(dst)
	}
	if len(m.blocks) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, `,"unfurl_links":false,"unfurl_media":false}`...)
}

const (
	ephemeral = "ephemeral"
	inChannel = "in_channel"
)

// A statusError is what a response URL answered.
type statusError struct {
	status int
	code   string
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("response_url answered %d %s", e.status, e.code))
}

// respond sends messages to a response URL, into thread if there is one. After
// an error, unsent is those from the one that failed.
func (a *Adapter) respond(ctx context.Context, address, kind, thread string, messages []outgoing) (unsent []outgoing, err error) {
	if err := a.mayCall(address); err != nil {
		return messages, err
	}
	for i, m := range messages {
		body := m.appendResponse(nil, kind, thread)
		if err := a.insist(ctx, func() error { return a.callBack(ctx, address, body) }); err != nil {
			return messages[i:], err
		}
	}
	return nil, nil
}

func (a *Adapter) callBack(ctx context.Context, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("response_url is no address")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := a.web.Do(req)
	if err != nil {
		// The URL is a secret and stays out of the log.
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return fmt.Errorf("response_url: %w", err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return &slack.RateLimitedError{RetryAfter: time.Duration(seconds) * time.Second}
	}
	e := &statusError{status: res.StatusCode}
	for _, known := range []string{"used_url", "expired_url", "invalid_payload", "no_text", "invalid_blocks"} {
		if bytes.Contains(answer, []byte(known)) {
			e.code = known
		}
	}
	return e
}

// mayCall keeps podium from calling addresses that somebody else made up: a response URL leads to Slack, or, in tests,
// to where the Web API is.
func (a *Adapter) mayCall(address string) error {
	u, err := url.Parse(address)
	if err == nil && u.User == nil {
		if u.Scheme == "https" && u.Host == "hooks.slack.com" {
			return nil
		}
		if u.Scheme == a.apiURL.Scheme && u.Host == a.apiURL.Host {
			return nil
		}
	}
	return errors.New("response_url does not lead to Slack")
}

// Post posts r to channel with key in the message's metadata; see bot.Poster.
func (a *Adapter) Post(ctx context.Context, channel, key string, r bot.Reply) (bot.MessageRef, error) {
	messages := render(r, publicLimit, moreInThread)
	if len(messages) == 0 {
		return bot.MessageRef{}, &bot.PostError{Reason: bot.Rejected, Remedy: "Give the reminder a text.", Err: errors.New("nothing to post")}
	}
	in, ts, err := a.api.PostMessageContext(ctx, channel, messages[0].options(""),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"key": key}}))
	if err != nil {
		return bot.MessageRef{}, postError(err)
	}
	sent := bot.MessageRef{Platform: bot.Slack, Channel: cmp.Or(in, channel), ID: ts}
	if len(messages) > 1 {
		if _, err := a.post(ctx, sent.Channel, ts, "", messages[1:]); err != nil {
			a.report(ctx, "chat.postMessage", "", err)
		}
	}
	return sent, nil
}

// Find looks for the post with key in the channel's history; see bot.Poster.
func (a *Adapter) Find(ctx context.Context, channel, key string, since time.Time) (bot.MessageRef, bool, error) {
	// Slack's clock dates messages, and ours may be ahead of it.
	oldest := since.Add(-time.Minute)
	params := &slack.GetConversationHistoryParameters{
		ChannelID:          channel,
		Oldest:             fmt.Sprintf("%d.%06d", oldest.Unix(), oldest.Nanosecond()/1000),
		Inclusive:          true,
		IncludeAllMetadata: true,
		Limit:              200,
	}
	for {
		page, err := a.api.GetConversationHistoryContext(ctx, params)
		if err != nil {
			if refusal, ok := errors.AsType[*bot.PostError](postError(err)); ok && refusal.Reason != bot.RateLimited {
				return bot.MessageRef{}, false, fmt.Errorf("%w: %w", bot.ErrUnknown, err)
			}
			return bot.MessageRef{}, false, err
		}
		for _, m := range page.Messages {
			if m.Metadata.EventType == eventType && m.Metadata.EventPayload["key"] == key {
				return bot.MessageRef{Platform: bot.Slack, Channel: channel, ID: m.Timestamp}, true, nil
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" {
			return bot.MessageRef{}, false, nil
		}
	}
}

// Tell sends user a direct message; see bot.Teller.
func (a *Adapter) Tell(ctx context.Context, user string, r bot.Reply) error {
	_, err := a.post(ctx, user, "", "", render(r, publicLimit, moreInThread))
	return err
}

// CanPost reports whether podium may post in channel; see bot.Poster.
func (a *Adapter) CanPost(ctx context.Context, channel string) error {
	if strings.HasPrefix(channel, "D") { // a direct message with podium
		return nil
	}
	info, err := a.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: channel})
	if err != nil {
		return postError(err)
	}
	switch {
	case info.IsArchived:
		return postError(slack.SlackErrorResponse{Err: "is_archived"})
	case info.IsReadOnly:
		return postError(slack.SlackErrorResponse{Err: "restricted_action_read_only_channel"})
	case !info.IsMember && !info.IsIM:
		return postError(slack.SlackErrorResponse{Err: "not_in_channel"})
	}
	return nil
}

// postError makes a *bot.PostError of what Slack refused, and leaves alone what leaves it open whether it did.
func postError(err error) error {
	e := &bot.PostError{Err: err, Remedy: sentence(remedy(err))}
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		e.Reason, e.After = bot.RateLimited, max(limited.RetryAfter, time.Second)
		return e
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusTooManyRequests {
		e.Reason, e.After = bot.RateLimited, time.Second
		return e
	}
	switch c := code(err); c {
	case "":
		return err
	case "internal_error", "fatal_error", "request_timeout", "service_unavailable", "team_added_to_org":
		return err
	case "ratelimited", "rate_limited":
		e.Reason, e.After = bot.RateLimited, time.Second
	case "channel_not_found", "is_archived":
		e.Reason = bot.ChannelGone
	default:
		e.Reason = bot.Rejected
		if slices.Contains(refused, c) || c == "not_in_channel" || c == "missing_scope" || c == "access_denied" || c == "no_permission" ||
			c == "ekm_access_denied" || strings.HasPrefix(c, "restricted_action") {
			e.Reason = bot.NoAccess
		}
	}
	return e
}

// sentence is s as a sentence.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// MaySchedule lets workspace admins and owners and the configured admins set reminders; see bot.Directory.
func (a *Adapter) MaySchedule(ctx context.Context, m bot.Message, _ string) (bool, error) {
	if slices.Contains(a.admins, m.User.ID) {
		return true, nil
	}
	u, err := a.user(ctx, m.User.ID)
	if err != nil {
		return false, err
	}
	ours, err := a.ours(ctx, u)
	return ours && (u.IsAdmin || u.IsOwner || u.IsPrimaryOwner), err
}

// ours reports whether u belongs to podium's workspace, or to the organisation that it is of. A channel may be shared
// with others, whose admins are none here.
func (a *Adapter) ours(ctx context.Context, u *slack.User) (bool, error) {
	home := a.workspace.Load()
	if home == nil { // Slack has only just come within reach
		var err error
		if home, err = a.api.AuthTestContext(ctx); err != nil {
			return false, fmt.Errorf("auth.test: %w", err)
		}
	}
	return u.TeamID == "" || home.TeamID == "" || u.TeamID == home.TeamID || home.EnterpriseID != "" && u.Enterprise.EnterpriseID == home.EnterpriseID, nil
}

// Zone is the user's time zone; see bot.Directory.
func (a *Adapter) Zone(ctx context.Context, user string) (string, error) {
	u, err := a.user(ctx, user)
	if err != nil {
		return "", err
	}
	return u.TZ, nil
}

func (a *Adapter) user(ctx context.Context, id string) (u *slack.User, err error) {
	err = a.insist(ctx, func() error {
		u, err = a.api.GetUserInfoContext(ctx, id)
		return err
	})
	if err != nil {
		a.report(ctx, "users.info", "", err)
		return nil, fmt.Errorf("users.info: %w", err)
	}
	return u, nil
}
