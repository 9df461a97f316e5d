-- The same statements run on SQLite and PostgreSQL, so columns are TEXT or
-- BIGINT. Times are microseconds since 1970, UTC; yes and no are 1 and 0.

-- +goose Up
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- What platforms have delivered, so that a redelivery is known.
CREATE TABLE seen (
    platform TEXT   NOT NULL,
    key      TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (platform, key)
);
CREATE INDEX seen_at ON seen (at);

-- Conversations' last questions.
CREATE TABLE turns (
    conversation TEXT   NOT NULL PRIMARY KEY,
    question     TEXT   NOT NULL,
    context      TEXT   NOT NULL,
    ref          TEXT   NOT NULL,
    at           BIGINT NOT NULL
);
CREATE INDEX turns_at ON turns (at);

-- Questions for the knowledge file's owner. Nobody's name is kept.
CREATE TABLE questions (
    at       BIGINT NOT NULL,
    platform TEXT   NOT NULL,
    outcome  TEXT   NOT NULL,
    intent   TEXT   NOT NULL,
    text     TEXT   NOT NULL
);
CREATE INDEX questions_at ON questions (at);

CREATE TABLE votes (
    platform TEXT   NOT NULL,
    message  TEXT   NOT NULL,
    voter    TEXT   NOT NULL, -- keyed hash
    ref      TEXT   NOT NULL,
    helpful  BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (platform, message, voter)
);
CREATE INDEX votes_at ON votes (at);

-- Podium's own messages and the messages that they answer.
CREATE TABLE messages (
    platform         TEXT   NOT NULL,
    channel          TEXT   NOT NULL,
    id               TEXT   NOT NULL,
    question_channel TEXT   NOT NULL,
    question_id      TEXT   NOT NULL, -- empty: it answers none
    ref              TEXT   NOT NULL,
    hash             TEXT   NOT NULL,
    at               BIGINT NOT NULL,
    PRIMARY KEY (platform, channel, id)
);
CREATE INDEX messages_question ON messages (question_id, question_channel);
CREATE INDEX messages_at ON messages (at);
