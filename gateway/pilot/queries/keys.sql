-- Locks opened by staff without a key (phone, tag, code or from afar), with one, and by means unknown.
WITH opened AS (
  SELECT coalesce(means, 'unknown') AS means, credential IN (SELECT credential FROM staff_credentials) AS by_staff
  FROM happened WHERE type IN ('lock.unlocked', 'lock.unlatched')),
counted AS (
  SELECT count(*) AS rows,
    count(*) FILTER (by_staff AND means IN ('phone', 'tag', 'code', 'remote')) AS without_key,
    count(*) FILTER (means = 'key') AS with_key, count(*) FILTER (means = 'unknown') AS unknown
  FROM opened HAVING count(*) > 0)
SELECT '' AS subject, '' AS part, rows, unnest([
  {'measure': 'opened_without_key', 'unit': 'number',
   'value': CASE WHEN EXISTS (FROM staff_credentials) THEN CAST(without_key AS DOUBLE) END},
  {'measure': 'opened_with_key', 'unit': 'number', 'value': CAST(with_key AS DOUBLE)},
  {'measure': 'opened_unknown', 'unit': 'number', 'value': CAST(unknown AS DOUBLE)}], recursive := true)
FROM counted;
