-- Share of the watched time in which a device was heard within its heartbeat; silences and outages.
WITH observed AS (
  SELECT device, product, epoch(ends) - epoch(begins) AS watched_s FROM watched
  WHERE supervised AND heartbeat_s IS NOT NULL),
silent AS (
  SELECT device, sum(greatest(epoch(until) - epoch(silent_from), 0)) AS silent_s,
    max(epoch(until) - epoch(since)) AS longest_s, count(*) FILTER (outage) AS outages
  FROM silences GROUP BY device),
grouped AS (
  SELECT coalesce(product, '') AS subject, count(*) AS rows,
    100 * (1 - sum(coalesce(silent_s, 0)) / sum(watched_s)) AS availability,
    max(coalesce(longest_s, 0)) / 3600 AS longest_h, sum(coalesce(outages, 0)) AS outages
  FROM observed LEFT JOIN silent USING (device) GROUP BY GROUPING SETS ((product), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'availability', 'unit': 'percent', 'value': CAST(availability AS DOUBLE)},
  {'measure': 'longest_silence', 'unit': 'hours', 'value': longest_h},
  {'measure': 'outages', 'unit': 'number', 'value': CAST(outages AS DOUBLE)}], recursive := true)
FROM grouped ORDER BY subject;
