-- Users, what they were granted, and what opens a door: no secret stands here, only what it is checked against.
-- Instants are UTC texts, lists are JSON. Nothing is deleted but login attempts: what was taken back says when.
PRAGMA application_id = 1447051602;
CREATE TABLE users (
  number INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL, login_key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  password TEXT NOT NULL, units TEXT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0, made_at TEXT NOT NULL);
CREATE TABLE grants (
  number INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES users(number),
  role TEXT NOT NULL, places TEXT NOT NULL, groups TEXT NOT NULL, private INTEGER NOT NULL, until TEXT,
  made_at TEXT NOT NULL, made_by TEXT NOT NULL, revoked_at TEXT);
CREATE INDEX grants_by_user ON grants (user);
CREATE TABLE links (
  number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, units TEXT NOT NULL,
  places TEXT NOT NULL, issues TEXT NOT NULL, uses_left INTEGER NOT NULL CHECK (uses_left >= 0),
  made_at TEXT NOT NULL, made_by TEXT NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT);
CREATE TABLE tokens (
  number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, kind TEXT NOT NULL,
  user INTEGER REFERENCES users(number), link INTEGER REFERENCES links(number), name TEXT NOT NULL,
  made_at TEXT NOT NULL, expires_at TEXT NOT NULL, used_at TEXT, revoked_at TEXT,
  CHECK ((user IS NULL) <> (link IS NULL)));
CREATE INDEX tokens_by_user ON tokens (user);
CREATE INDEX tokens_by_link ON tokens (link);
CREATE TABLE login_attempts (at TEXT NOT NULL, name_key TEXT NOT NULL, address TEXT NOT NULL);
CREATE INDEX login_attempts_by_time ON login_attempts (at);
CREATE INDEX access_log_by_time ON access_log (at);
