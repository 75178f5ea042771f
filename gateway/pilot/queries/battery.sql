-- Days until a battery is empty: the straight line through its charge since it was last charged or changed.
WITH charge AS (
  SELECT no, product, day, battery, battery - lag(battery) OVER (PARTITION BY no ORDER BY day) >= 10 AS rise
  FROM (SELECT no, product, day, arg_max(battery, last) AS battery FROM heard WHERE battery IS NOT NULL
        GROUP BY ALL)),
charged AS (SELECT no, max(day) FILTER (rise) AS since FROM charge GROUP BY no),
lines AS (
  SELECT no, product, regr_slope(battery, epoch(CAST(day AS TIMESTAMP)) / 86400) AS slope,
    arg_max(battery, day) AS now, max(day) - min(day) AS spanned
  FROM charge JOIN charged USING (no) WHERE since IS NULL OR day >= since GROUP BY ALL),
forecast AS (
  SELECT product, no, CASE WHEN spanned >= 7 AND slope < 0 THEN now / -slope END AS days FROM lines),
grouped AS (
  SELECT coalesce(product, '') AS subject, count(days) AS rows, count(*) - count(days) AS unknown,
    median(days) AS middle, min(days) AS soonest
  FROM forecast GROUP BY GROUPING SETS ((product), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'battery_middle', 'unit': 'days', 'value': CAST(middle AS DOUBLE)},
  {'measure': 'battery_soonest', 'unit': 'days', 'value': CAST(soonest AS DOUBLE)},
  {'measure': 'battery_unknown', 'unit': 'devices', 'value': CAST(unknown AS DOUBLE)}], recursive := true)
FROM grouped ORDER BY subject;
