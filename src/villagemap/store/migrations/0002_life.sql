-- The life of an issue: steps of the verification chain, records of other things with a history of their own (sweeps,
-- visits, meetings, objections, re-visits, facts about photos), answers to repeated requests, fingerprints of photos.

ALTER TABLE issues ADD COLUMN checked TEXT NOT NULL DEFAULT '[]';

-- A record is the sum of its subject's events ("sweep/<id>", "visit/<id>", …), kept as sorted-key JSON. ``parent`` is
-- what it belongs to and is asked for by.
CREATE TABLE records (
  county TEXT NOT NULL, subject TEXT NOT NULL, type TEXT NOT NULL, parent TEXT NOT NULL, fields TEXT NOT NULL,
  revision INTEGER NOT NULL, changed_seq INTEGER NOT NULL, PRIMARY KEY (county, subject)) WITHOUT ROWID;
CREATE INDEX records_by_parent ON records (county, type, parent);

-- The answer that a request got, so that a retry gets the same.
CREATE TABLE requests (
  county TEXT NOT NULL, key TEXT NOT NULL, actor TEXT NOT NULL, flow TEXT NOT NULL, answer TEXT NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (county, key)) WITHOUT ROWID;

-- Derived from pictures, so no event tells of it.
CREATE TABLE fingerprints (
  county TEXT NOT NULL, sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, marks BLOB NOT NULL,
  grey BLOB NOT NULL, PRIMARY KEY (county, sha256));
CREATE INDEX photos_by_hash ON photos (county, sha256);
