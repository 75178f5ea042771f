-- Stale: not closed within 24 hours. Chattering: came and went more than five times within five minutes.
WITH turns AS (
  SELECT alert, count(*) OVER (PARTITION BY alert ORDER BY moment
    RANGE BETWEEN INTERVAL 5 MINUTE PRECEDING AND CURRENT ROW) AS n
  FROM entries WHERE action IN ('raised', 'repeated', 'cleared') AND alert IN (SELECT id FROM pilot_alerts)),
counted AS (
  SELECT count(*) AS rows,
    count(*) FILTER (epoch(coalesce(closed, until)) - epoch(raised) > 86400) AS stale,
    count(*) FILTER (id IN (SELECT alert FROM turns WHERE n > 5)) AS chattering
  FROM steps, pilot)
SELECT '' AS subject, '' AS part, rows, unnest([
  {'measure': 'stale', 'unit': 'number', 'value': CAST(stale AS DOUBLE)},
  {'measure': 'chattering', 'unit': 'number', 'value': CAST(chattering AS DOUBLE)}], recursive := true)
FROM counted;
