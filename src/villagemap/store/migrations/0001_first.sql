-- The first schema. GeoPackage's own tables, then ours. One file holds one county, and yet the county stands in
-- every key, because the same schema serves many counties in one database server.

CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
  srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL REFERENCES gpkg_contents(table_name), column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
  z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
CREATE TABLE gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
  UNIQUE (table_name, column_name, extension_name));

INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined cartesian SRS', -1, 'NONE', -1, 'undefined', NULL),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL),
  ('WGS 84 geodetic', 4326, 'EPSG', 4326,
   'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
   'longitude, latitude');

-- What this file is: schema version, county.
CREATE TABLE villagemap (key TEXT PRIMARY KEY, value TEXT NOT NULL);

-- Our writer opens this door inside its own transaction and shuts it before the commit, so no other connection ever
-- sees it open: the guards on the tables below let nobody else write.
CREATE TABLE villagemap_writer (id INTEGER PRIMARY KEY CHECK (id = 1), open INTEGER NOT NULL);
INSERT INTO villagemap_writer VALUES (1, 0);

CREATE TABLE places (
  fid INTEGER PRIMARY KEY AUTOINCREMENT, geom BLOB,
  place_id TEXT NOT NULL, county TEXT NOT NULL, level TEXT NOT NULL,
  code TEXT NOT NULL, name TEXT NOT NULL, short_name TEXT NOT NULL, parent_id TEXT,
  households INTEGER, approximate BOOLEAN NOT NULL, seat_lon DOUBLE, seat_lat DOUBLE,
  valid_from DATE, valid_to DATE,
  UNIQUE (county, place_id));
CREATE INDEX places_by_parent ON places (county, parent_id);
CREATE TABLE place_codes (
  county TEXT NOT NULL, code TEXT NOT NULL, place_id TEXT NOT NULL, position INTEGER NOT NULL,
  valid_from DATE, valid_to DATE, PRIMARY KEY (county, place_id, code)) WITHOUT ROWID;
CREATE TABLE place_aliases (
  county TEXT NOT NULL, place_id TEXT NOT NULL, position INTEGER NOT NULL, alias TEXT NOT NULL,
  PRIMARY KEY (county, place_id, position)) WITHOUT ROWID;

CREATE TABLE issues (
  fid INTEGER PRIMARY KEY AUTOINCREMENT, geom BLOB,
  id TEXT NOT NULL, county TEXT NOT NULL, number TEXT,
  category TEXT NOT NULL, subdefects TEXT NOT NULL, severity MEDIUMINT NOT NULL, status TEXT NOT NULL,
  quantity_found DOUBLE NOT NULL, quantity_done DOUBLE NOT NULL, unit TEXT NOT NULL,
  place_id TEXT, village_id TEXT, town_id TEXT, place_code_given TEXT NOT NULL,
  located TEXT NOT NULL, lon DOUBLE, lat DOUBLE, location_text TEXT NOT NULL, description TEXT NOT NULL,
  source TEXT NOT NULL, found_on DATE, lead_unit TEXT NOT NULL, help_units TEXT NOT NULL,
  responsible TEXT NOT NULL, phone TEXT NOT NULL,
  due_on DATE, hard_due_on DATE, claimed_closed_on DATE, closed_on DATE, deferred_until DATE, interim_on DATE,
  privacy TEXT NOT NULL, relapse_of TEXT, duplicate_of TEXT, facility TEXT NOT NULL,
  revision MEDIUMINT NOT NULL, changed_seq INTEGER NOT NULL,
  UNIQUE (county, id));
CREATE UNIQUE INDEX issues_by_number ON issues (county, number) WHERE number IS NOT NULL;
CREATE INDEX issues_by_town ON issues (town_id, fid);
CREATE INDEX issues_by_village ON issues (village_id, fid);
CREATE INDEX issues_by_change ON issues (changed_seq);

-- Each issue's GeoJSON text, refreshed in the transaction that changes its row: queries stream it as bytes.
CREATE TABLE issue_features (fid INTEGER PRIMARY KEY, feature TEXT NOT NULL);

CREATE TABLE sightings (
  county TEXT NOT NULL, id TEXT NOT NULL, issue_id TEXT NOT NULL, position INTEGER NOT NULL, source TEXT NOT NULL,
  list_name TEXT NOT NULL, list_number TEXT NOT NULL, found_on DATE, found_by TEXT NOT NULL,
  given_x TEXT NOT NULL, given_y TEXT NOT NULL, datum TEXT NOT NULL, accuracy_m DOUBLE, row_key TEXT NOT NULL,
  PRIMARY KEY (county, issue_id, position)) WITHOUT ROWID;
CREATE INDEX sightings_by_row ON sightings (county, row_key) WHERE row_key <> '';

-- The truth. Never changed, never removed.
CREATE TABLE events (
  county TEXT NOT NULL, seq INTEGER NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL,
  actor TEXT NOT NULL, operation INTEGER, body TEXT NOT NULL, hash TEXT NOT NULL,
  PRIMARY KEY (county, seq));
CREATE INDEX events_by_subject ON events (county, subject, seq);

CREATE TABLE personal_values (
  county TEXT NOT NULL, hash TEXT NOT NULL, subject TEXT NOT NULL, field TEXT NOT NULL,
  salt TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (county, hash)) WITHOUT ROWID;
CREATE INDEX personal_values_by_subject ON personal_values (county, subject);

CREATE TABLE operations (
  number INTEGER PRIMARY KEY AUTOINCREMENT, county TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
  at DATETIME NOT NULL, file_name TEXT NOT NULL, file_sha256 TEXT NOT NULL, counts TEXT NOT NULL);

CREATE TABLE photos (
  county TEXT NOT NULL, issue_id TEXT NOT NULL, sha256 TEXT NOT NULL, stage TEXT NOT NULL, taken_at TEXT,
  media_type TEXT NOT NULL, PRIMARY KEY (county, issue_id, sha256)) WITHOUT ROWID;

CREATE TABLE counters (county TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (county, name));

CREATE VIRTUAL TABLE rtree_issues_geom USING rtree (id, minx, maxx, miny, maxy);
CREATE VIRTUAL TABLE rtree_places_geom USING rtree (id, minx, maxx, miny, maxy);

INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES
  ('issues', 'features', 'issues', '问题 / issues', 4326),
  ('places', 'features', 'places', '镇、村 / towns, villages, hamlets', 4326),
  -- one registered attribute table makes GDAL hide the tables that are not listed here
  ('operations', 'attributes', 'operations', '批次 / imports and bulk edits', NULL);
INSERT INTO gpkg_geometry_columns VALUES ('issues', 'geom', 'GEOMETRY', 4326, 0, 0), ('places', 'geom', 'GEOMETRY', 4326, 0, 0);
INSERT INTO gpkg_extensions VALUES
  ('issues', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only'),
  ('places', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');
