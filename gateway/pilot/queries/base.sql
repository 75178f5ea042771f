-- What every figure is made from: the pilot's part of the exported tables, once for the whole report.
CREATE TEMP TABLE watched AS
SELECT row_number() OVER (ORDER BY device) AS no, d.*, greatest(d.enrolled, p.since) AS begins, p.until AS ends
FROM devices d, pilot p WHERE d.enrolled < p.until;

CREATE TEMP TABLE heard AS
SELECT w.no, w.product, h.* FROM days h JOIN watched w USING (device)
WHERE h.last >= w.begins AND h.first < w.ends;

CREATE TEMP TABLE ever AS
SELECT device, min(first) AS first, max(last) AS last FROM days JOIN watched USING (device) GROUP BY device;

-- A silence is longer than one and a half heartbeats; its first heartbeat is no silence: so long it may wait.
CREATE TEMP TABLE silences AS
WITH gaps AS (
  SELECT device, since, until FROM pauses
  UNION ALL SELECT device, begins, coalesce(first, ends) FROM watched LEFT JOIN ever USING (device)
    WHERE first IS NULL OR first > begins
  UNION ALL SELECT device, last, ends FROM watched JOIN ever USING (device) WHERE last < ends
)
SELECT device, product, heartbeat_s,
  greatest(g.since, begins) AS since, least(g.until, ends) AS until,
  greatest(g.since + to_microseconds(CAST(heartbeat_s * 1e6 AS BIGINT)), begins) AS silent_from,
  epoch_us(g.until) - epoch_us(g.since) > 3e6 * heartbeat_s AS outage
FROM gaps g JOIN watched USING (device)
WHERE supervised AND heartbeat_s IS NOT NULL AND g.until > begins AND g.since < ends
  AND epoch_us(g.until) - epoch_us(g.since) > 1.5e6 * heartbeat_s;

CREATE TEMP TABLE weeks AS
SELECT strftime(monday, '%G-W%V') AS week,
  CAST(timezone((SELECT zone FROM pilot), CAST(monday AS TIMESTAMP)) AS TIMESTAMP) AS since,
  CAST(timezone((SELECT zone FROM pilot), CAST(monday AS TIMESTAMP) + INTERVAL 7 DAY) AS TIMESTAMP) AS until
FROM (SELECT unnest(generate_series(date_trunc('week', (SELECT first_day FROM pilot)),
  CAST((SELECT last_day FROM pilot) AS TIMESTAMP), INTERVAL 7 DAY)) AS monday)
WHERE since < (SELECT until FROM pilot);

CREATE TEMP TABLE happened AS
SELECT w.no, w.product, e.home, e.type, e.occurred, e.clock, e.late_s, e.means, e.credential, e.dose, e.due,
  e.slot, e.outcome
FROM events e JOIN watched w USING (device)
WHERE e.received >= w.begins AND e.received < w.ends;

-- The newest export of an alert is the alert.
CREATE TEMP TABLE pilot_alerts AS
SELECT w.product, w.kind, a.* FROM (
  SELECT * FROM alerts QUALIFY row_number() OVER (PARTITION BY id ORDER BY version DESC, cursor DESC) = 1) a
JOIN watched w USING (device)
WHERE a.raised >= w.begins AND a.raised < w.ends;

CREATE TEMP TABLE pilot_deliveries AS
SELECT d.* FROM (SELECT * FROM deliveries WHERE alert IN (SELECT id FROM pilot_alerts)
  QUALIFY row_number() OVER (PARTITION BY id ORDER BY row DESC) = 1) d;

CREATE TEMP TABLE steps AS
WITH done AS (
  SELECT alert, min(moment) FILTER (action = 'accepted') AS accepted,
    min(moment) FILTER (action = 'on_site') AS on_site, max(moment) FILTER (action = 'closed') AS closed
  FROM entries WHERE alert IN (SELECT id FROM pilot_alerts) GROUP BY alert),
seen AS (
  SELECT coalesce(r.alert, d.alert) AS alert, min(r.moment) AS displayed
  FROM receipts r LEFT JOIN pilot_deliveries d ON r.delivery = d.id GROUP BY ALL)
SELECT a.*, displayed, accepted, on_site, CASE WHEN state = 'closed' THEN closed END AS closed
FROM pilot_alerts a LEFT JOIN done ON done.alert = a.id LEFT JOIN seen ON seen.alert = a.id;

-- Each local time that something is planned at, on each day, as the moment it was: worked out once for all.
CREATE TEMP TABLE moments AS
SELECT starts, CAST(timezone(zone, CAST(local_day AS DATE) + starts) AS TIMESTAMP) AS moment,
  strftime(local_day, '%G-W%V') AS week,
  CASE WHEN night_from > night_until THEN starts >= night_from OR starts < night_until
    ELSE starts >= night_from AND starts < night_until END AS at_night
FROM (SELECT DISTINCT starts FROM windows), pilot,
  (SELECT unnest(generate_series(CAST((SELECT first_day FROM pilot) AS TIMESTAMP),
     CAST((SELECT last_day FROM pilot) AS TIMESTAMP), INTERVAL 1 DAY)) AS local_day);

-- Every planned dose and look whose time is over, in the local time it was planned in.
CREATE TEMP TABLE planned AS
SELECT w.no, w.product, w.home, p.what, p.ref, at_night, week, moment AS starts,
  moment + to_microseconds(CAST(p.minutes * 60e6 AS BIGINT)) AS ends
FROM windows p JOIN moments USING (starts) JOIN watched w USING (device)
WHERE moment >= w.begins AND moment + to_microseconds(CAST(p.minutes * 60e6 AS BIGINT)) < w.ends;

-- The days (of UTC) that a planned time reaches into, so that what happened is sought among few of them.
CREATE TEMP TABLE reach AS
SELECT no, what, ref, starts, ends, epoch_us(starts) // 86400000000 + n AS day
FROM planned, range(2) later(n);

-- A word about a dose belongs to the planned dose it names by its time due, or to the nearest one begun; one that
-- names no dose to the last one begun. Twenty hours later it tells of no dose any more.
CREATE TEMP TABLE dose_words AS
SELECT no, dose AS ref, type, occurred, coalesce(due + INTERVAL 1 MINUTE, occurred + INTERVAL 1 HOUR) AS about,
  epoch_us(about) // 86400000000 AS day
FROM happened WHERE type IN ('medication.taken', 'medication.dispensed', 'medication.missed',
  'medication.retracted');

CREATE TEMP TABLE doses AS
WITH named AS (
  SELECT p.no, p.ref, p.starts, w.type, w.occurred FROM dose_words w JOIN reach p
    ON w.no = p.no AND w.ref = p.ref AND w.day = p.day
      AND w.about >= p.starts AND w.about < p.starts + INTERVAL 20 HOUR
  WHERE p.what = 'dose'),
unnamed AS (
  SELECT p.no, p.ref, p.starts, w.type, w.occurred FROM dose_words w
  ASOF JOIN (SELECT * FROM planned WHERE what = 'dose'
    AND no IN (SELECT no FROM dose_words WHERE ref IS NULL)) p
    ON w.no = p.no AND w.about >= p.starts
  WHERE w.ref IS NULL AND w.about < p.starts + INTERVAL 20 HOUR),
told AS (
  SELECT no, ref, starts,
    min(occurred) FILTER (type IN ('medication.taken', 'medication.dispensed')) AS taken,
    min(occurred) FILTER (type IN ('medication.missed', 'medication.retracted')) AS missed
  FROM (FROM named UNION ALL FROM unnamed) GROUP BY ALL)
SELECT p.*, t.taken, CASE
  WHEN t.taken <= p.ends THEN 'in_time' WHEN t.taken IS NOT NULL THEN 'late'
  WHEN t.missed IS NOT NULL THEN 'missed' ELSE 'no_word' END AS outcome
FROM planned p LEFT JOIN told t USING (no, ref, starts) WHERE p.what = 'dose';

-- Somebody of the staff at a home: a visit that began, or a lock opened with a credential of theirs.
CREATE TEMP TABLE visits AS
SELECT e.home, e.occurred, e.type, e.means FROM events e, pilot p
WHERE e.home IN (SELECT home FROM watched) AND e.received >= p.since AND e.received < p.until
  AND (e.type = 'visit.started' OR (e.type IN ('lock.unlocked', 'lock.unlatched')
    AND e.credential IN (SELECT credential FROM staff_credentials)));

-- A look replaced a visit where the person was seen and nobody of the staff came within the hour.
CREATE TEMP TABLE looks AS
WITH done AS (
  SELECT p.no, p.ref, p.starts, min(h.occurred) AS occurred,
    arg_min(coalesce(h.outcome, 'seen'), h.occurred) AS outcome
  FROM (SELECT *, epoch_us(occurred) // 86400000000 AS day FROM happened WHERE type = 'supervision.performed') h
  JOIN reach p ON h.no = p.no AND h.day = p.day
    AND h.occurred >= p.starts AND h.occurred <= p.ends AND coalesce(h.slot, p.ref) = p.ref
  WHERE p.what = 'look' GROUP BY ALL),
judged AS (
  SELECT p.*, d.occurred, CASE WHEN d.occurred IS NULL THEN 'missed'
    WHEN d.outcome = 'seen' THEN 'seen' ELSE 'not_well' END AS outcome
  FROM planned p LEFT JOIN done d USING (no, ref, starts) WHERE p.what = 'look')
SELECT j.*, outcome = 'seen' AND (came IS NULL OR came > j.occurred + INTERVAL 1 HOUR) AS replaced
FROM judged j ASOF LEFT JOIN (SELECT home, occurred AS came FROM visits) v
  ON j.home = v.home AND j.occurred < v.came;

-- The fewest homes that any part of a figure is about: it decides whether the parts may be told at all.
CREATE TEMP TABLE fewest AS
SELECT (SELECT count(DISTINCT home) FROM watched) AS homes,
  (SELECT min(n) FROM (SELECT count(DISTINCT home) AS n FROM watched GROUP BY product)) AS of_product,
  (SELECT min(n) FROM (SELECT count(DISTINCT home) AS n FROM doses GROUP BY product)) AS of_doses,
  (SELECT min(n) FROM (SELECT count(DISTINCT home) AS n FROM looks GROUP BY at_night)) AS of_looks,
  (SELECT count(DISTINCT home) FROM looks WHERE at_night) AS of_nights;
