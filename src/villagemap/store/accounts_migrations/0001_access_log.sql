-- Who looked at restricted rows. The first workspaces have this alone.
CREATE TABLE access_log (at TEXT NOT NULL, actor TEXT NOT NULL, flow TEXT NOT NULL, subject TEXT NOT NULL);
