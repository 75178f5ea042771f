-- What was saved and what it cost, lowest to highest; a line that lacks its baseline or an assumption is missing.
WITH span AS (SELECT (epoch(until) - epoch(since)) / 86400 AS days FROM pilot),
before AS (SELECT measure, value FROM baseline),
made AS (
  SELECT (SELECT count(*) FROM looks WHERE at_night AND replaced) AS looks_seen,
    (SELECT count(*) FROM happened WHERE type IN ('lock.unlocked', 'lock.unlatched')
      AND means IN ('phone', 'tag', 'code', 'remote')
      AND credential IN (SELECT credential FROM staff_credentials)) AS keyless,
    (SELECT count(*) FROM happened WHERE type IN ('lock.unlocked', 'lock.unlatched') AND means = 'key') AS keyed,
    (SELECT count(*) FROM steps WHERE kind = 'medication_dispenser' AND on_site IS NOT NULL) AS dose_visits,
    (SELECT count(*) FROM pilot_alerts WHERE coalesce(outcome, 'real') <> 'test') AS alarms,
    (SELECT sum(epoch(ends) - epoch(begins)) / 86400 / 30.4375 FROM watched) AS device_months),
there AS (SELECT list(DISTINCT kind) AS kinds FROM watched),
fewer AS (
  SELECT 'night_visits' AS line, 'night_visit_min' AS minutes, true AS drive,
    least(looks_seen, (SELECT value FROM before WHERE measure = 'night_visits_per_night') * days) AS n
  FROM made, span, there WHERE list_contains(kinds, 'camera')
    AND EXISTS (FROM before WHERE measure = 'night_visits_per_night')
  UNION ALL
  SELECT 'night_visits', 'night_visit_min', true, NULL FROM there WHERE list_contains(kinds, 'camera')
    AND NOT EXISTS (FROM before WHERE measure = 'night_visits_per_night')
  UNION ALL
  SELECT 'dose_visits', 'dose_visit_min', true,
    (SELECT value FROM before WHERE measure = 'dose_visits_per_day') * days - dose_visits
  FROM made, span, there WHERE list_contains(kinds, 'medication_dispenser')
  UNION ALL
  SELECT 'key_trips', 'key_trip_min', false,
    CASE WHEN EXISTS (FROM staff_credentials) AND EXISTS (FROM before WHERE measure = 'key_trips_per_week')
      THEN least(keyless, (SELECT value FROM before WHERE measure = 'key_trips_per_week') * days / 7 - keyed) END
  FROM made, span, there WHERE list_contains(kinds, 'lock')
  UNION ALL
  SELECT 'alarms', 'alarm_min', false,
    (SELECT value FROM before WHERE measure = 'alarms_per_week') * days / 7 - alarms FROM made, span),
cases AS (SELECT unnest(['low', 'likely', 'high']) AS part),
inputs AS (UNPIVOT assumptions ON low, likely, high INTO NAME part VALUE value),
worked AS (
  SELECT line, c.part, n, n * m.value / 60 AS hours,
    n * m.value / 60 * h.value + CASE WHEN drive THEN n * v.value * k.value ELSE 0 END AS sek
  FROM fewer, cases c
  -- What was lost is worth most in the lowest case, so its inputs are turned round.
  JOIN (SELECT 'low' AS part, 'high' AS other UNION ALL SELECT 'likely', 'likely' UNION ALL SELECT 'high', 'low') t
    ON t.part = c.part
  LEFT JOIN inputs m ON m.input = minutes AND m.part = CASE WHEN n < 0 THEN other ELSE c.part END
  LEFT JOIN inputs h ON h.input = 'staff_hour_sek' AND h.part = CASE WHEN n < 0 THEN other ELSE c.part END
  LEFT JOIN inputs v ON v.input = 'visit_km' AND v.part = CASE WHEN n < 0 THEN other ELSE c.part END
  LEFT JOIN inputs k ON k.input = 'km_sek' AND k.part = CASE WHEN n < 0 THEN other ELSE c.part END),
paid AS (
  SELECT 'devices' AS line, c.part, device_months AS n, NULL::DOUBLE AS hours, -device_months * i.value AS sek
  FROM made, cases c LEFT JOIN inputs i ON i.input = 'device_month_sek'
    AND i.part = CASE c.part WHEN 'low' THEN 'high' WHEN 'high' THEN 'low' ELSE 'likely' END
  UNION ALL
  SELECT 'start', c.part, 1, NULL, -i.value FROM cases c LEFT JOIN inputs i ON i.input = 'start_sek'
    AND i.part = CASE c.part WHEN 'low' THEN 'high' WHEN 'high' THEN 'low' ELSE 'likely' END),
lines AS (FROM worked UNION ALL FROM paid),
results AS (
  SELECT line AS subject, part, sek, hours, n, line IN (SELECT line FROM fewer) AS staff FROM lines
  UNION ALL
  -- Without any saving, or without what the devices cost, there is no benefit to speak of.
  SELECT '', part, CASE WHEN count(sek) FILTER (line NOT IN ('devices', 'start')) > 0
      AND count(sek) FILTER (line = 'devices') > 0 THEN sum(sek) END, sum(hours),
    NULL, true FROM lines GROUP BY part)
SELECT 'benefit_sek' AS measure, subject, part, sek AS value, 'kr' AS unit, count(sek) OVER (PARTITION BY subject) AS rows,
  CASE WHEN subject = 'night_visits' THEN (SELECT of_nights FROM fewest) END AS people
FROM results
UNION ALL
SELECT 'benefit_hours', subject, part, hours, 'hours', count(hours) OVER (PARTITION BY subject),
  CASE WHEN subject = 'night_visits' THEN (SELECT of_nights FROM fewest) END FROM results WHERE staff
UNION ALL
SELECT 'benefit_fewer', subject, '', n, 'number', 1,
  CASE WHEN subject = 'night_visits' THEN (SELECT of_nights FROM fewest) END FROM results WHERE part = 'likely' AND staff AND subject <> ''
ORDER BY measure, subject, part;
