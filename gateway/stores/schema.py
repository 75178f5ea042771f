"""The tables of the state file.

The registry has a table of its own: as a row of `meta`, where files made before have it, every commit
read the whole of a large one to find the place of its neighbours.
"""

VERSION = 3
REGISTRY_AT = "registry_at"
"""The row of `meta` that holds the position of the commit that wrote the registry last."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS registry (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS frames (
  position INTEGER PRIMARY KEY,
  received_us INTEGER NOT NULL,
  transport TEXT NOT NULL,
  channel TEXT NOT NULL,
  payload BLOB NOT NULL,
  ingress TEXT NOT NULL,
  source TEXT NOT NULL,
  flags INTEGER NOT NULL,
  fault TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
  place INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  device TEXT NOT NULL,
  type TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS traces (
  id INTEGER PRIMARY KEY,
  frame INTEGER NOT NULL,
  step TEXT NOT NULL,
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  clause TEXT NOT NULL,
  device TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS traces_of_frame ON traces (frame);
CREATE TABLE IF NOT EXISTS quarantine (
  frame INTEGER PRIMARY KEY,
  received_us INTEGER NOT NULL,
  transport TEXT NOT NULL,
  channel TEXT NOT NULL,
  payload BLOB NOT NULL,
  ingress TEXT NOT NULL,
  source TEXT NOT NULL,
  device TEXT NOT NULL,
  reason TEXT NOT NULL,
  clause TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS statuses (device TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discovered (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memories (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS timers (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY,
  open INTEGER NOT NULL,
  raised_us INTEGER NOT NULL,
  body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_open ON alerts (open, raised_us);
CREATE TABLE IF NOT EXISTS entries (
  alert TEXT NOT NULL,
  version INTEGER NOT NULL,
  frame INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (alert, version)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_of_frame ON entries (frame);
CREATE TABLE IF NOT EXISTS deliveries (
  id TEXT PRIMARY KEY,
  alert TEXT NOT NULL,
  waits INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_of_alert ON deliveries (alert);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (waits) WHERE waits = 1;
"""
