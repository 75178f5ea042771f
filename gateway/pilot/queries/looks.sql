-- Planned looks whose time is over. A look replaced a visit where the person was seen and nobody came within the hour.
WITH grouped AS (
  SELECT CASE WHEN grouping(at_night) = 1 THEN '' WHEN at_night THEN 'night' ELSE 'day' END AS subject,
    count(*) AS rows, count(DISTINCT home) AS people, count(*) FILTER (outcome <> 'missed') AS done,
    count(*) FILTER (outcome = 'not_well') AS not_well, count(*) FILTER (outcome = 'missed') AS missed,
    count(*) FILTER (replaced) AS replaced
  FROM looks GROUP BY GROUPING SETS ((at_night), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, people, unnest([
  {'measure': 'looks_planned', 'unit': 'number', 'value': CAST(rows AS DOUBLE)},
  {'measure': 'looks_done', 'unit': 'number', 'value': CAST(done AS DOUBLE)},
  {'measure': 'looks_not_well', 'unit': 'number', 'value': CAST(not_well AS DOUBLE)},
  {'measure': 'looks_missed', 'unit': 'number', 'value': CAST(missed AS DOUBLE)},
  {'measure': 'visits_replaced', 'unit': 'number', 'value': CAST(replaced AS DOUBLE)}], recursive := true)
FROM grouped ORDER BY subject;
