-- +goose Up
-- Scheduled posts. next is the occurrence that is to come, 0 if there is none.
CREATE TABLE reminders (
    id          TEXT   NOT NULL PRIMARY KEY,
    platform    TEXT   NOT NULL,
    workspace   TEXT   NOT NULL,
    channel     TEXT   NOT NULL,
    label       TEXT   NOT NULL,
    author      TEXT   NOT NULL,
    author_name TEXT   NOT NULL,
    schedule    TEXT   NOT NULL,
    zone        TEXT   NOT NULL,
    start       BIGINT NOT NULL,
    ref         TEXT   NOT NULL,
    title       TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    problem     TEXT   NOT NULL,
    replaces    TEXT   NOT NULL,
    next        BIGINT NOT NULL
);
CREATE INDEX reminders_next ON reminders (next) WHERE state = 'active';
CREATE INDEX reminders_workspace ON reminders (platform, workspace, channel);
CREATE INDEX reminders_over ON reminders (start) WHERE state IN ('draft', 'done');

-- What became of each occurrence.
CREATE TABLE deliveries (
    reminder TEXT   NOT NULL,
    due      BIGINT NOT NULL,
    state    TEXT   NOT NULL,
    platform TEXT   NOT NULL,
    channel  TEXT   NOT NULL,
    message  TEXT   NOT NULL, -- empty until it is posted
    reason   TEXT   NOT NULL,
    began    BIGINT NOT NULL, -- the first attempt
    at       BIGINT NOT NULL, -- the last attempt
    PRIMARY KEY (reminder, due)
);
CREATE INDEX deliveries_posting ON deliveries (at) WHERE state = 'posting';
CREATE INDEX deliveries_at ON deliveries (at);
