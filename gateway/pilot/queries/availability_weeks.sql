-- The same share, week by week.
WITH observed AS (
  SELECT product, week, sum(epoch(least(ends, w.until)) - epoch(greatest(begins, w.since))) AS watched_s,
    count(*) AS rows
  FROM watched, weeks w WHERE supervised AND heartbeat_s IS NOT NULL AND begins < w.until AND ends > w.since
  GROUP BY ALL),
silent AS (
  SELECT product, week, sum(epoch(least(s.until, w.until)) - epoch(greatest(s.silent_from, w.since))) AS silent_s
  FROM silences s, weeks w WHERE least(s.until, w.until) > greatest(s.silent_from, w.since) GROUP BY ALL)
SELECT 'availability' AS measure, product AS subject, week AS part,
  100 * (1 - coalesce(silent_s, 0) / watched_s) AS value, 'percent' AS unit, rows
FROM observed LEFT JOIN silent USING (product, week) ORDER BY subject, part;
