-- +goose Up
-- Which process runs which shard of a gateway. Each renews its row; one that is
-- not renewed is a process that has ended.
CREATE TABLE shards (
    shard  TEXT   NOT NULL,
    holder TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    PRIMARY KEY (shard, holder)
);
