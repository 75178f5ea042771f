-- The numbers of before the pilot beside the same numbers measured in it, in the same unit.
WITH span AS (
  SELECT (epoch(until) - epoch(since)) / 86400 AS days, night_from, night_until, zone FROM pilot),
-- Zones differ by whole quarters of an hour, so that each quarter is asked for its local time once.
quarters AS (
  SELECT quarter, timezone(zone, timezone('UTC', quarter)) AS local FROM (
    SELECT DISTINCT time_bucket(INTERVAL 15 MINUTE, occurred) AS quarter FROM visits), span),
measured AS (
  SELECT 'missed_doses_per_week' AS measure, count(*) FILTER (outcome = 'missed') * 7 / any_value(days) AS value,
    count(*) AS rows FROM doses, span
  UNION ALL SELECT 'alarms_per_week', count(*) * 7 / any_value(days), count(*) FROM pilot_alerts, span
    WHERE coalesce(outcome, 'real') <> 'test'
  UNION ALL SELECT 'dose_visits_per_day', count(*) FILTER (on_site IS NOT NULL) / any_value(days), count(*)
    FROM steps, span WHERE kind = 'medication_dispenser'
  UNION ALL SELECT 'key_trips_per_week', count(*) FILTER (means = 'key') * 7 / any_value(days), count(*)
    FROM happened, span WHERE type IN ('lock.unlocked', 'lock.unlatched')
  UNION ALL SELECT 'night_visits_per_night', count(DISTINCT (home, date_trunc('hour', occurred)))
      FILTER (CASE WHEN night_from > night_until THEN clock >= night_from OR clock < night_until
              ELSE clock >= night_from AND clock < night_until END) / any_value(days), count(*)
    FROM (SELECT v.*, CAST(local + (occurred - quarter) AS TIME) AS clock FROM (
      SELECT home, occurred, time_bucket(INTERVAL 15 MINUTE, occurred) AS quarter FROM visits) v
      JOIN quarters USING (quarter)), span)
SELECT 'before' AS measure, b.measure AS subject, '' AS part, b.value AS value, 'number' AS unit, 1 AS rows, NULL AS people
FROM baseline b
UNION ALL
SELECT 'now', b.measure, '', CASE WHEN m.rows > 0 THEN m.value END, 'number', coalesce(m.rows, 0),
  CASE b.measure WHEN 'missed_doses_per_week' THEN (SELECT of_doses FROM fewest) END
FROM baseline b LEFT JOIN measured m USING (measure) ORDER BY subject, measure;
