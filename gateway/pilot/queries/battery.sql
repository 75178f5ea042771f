-- Days until a battery is empty: the straight line through its charge since it was last charged or changed.
WITH charge AS (
  SELECT device, product, day, battery, battery - lag(battery) OVER (PARTITION BY device ORDER BY day) >= 10 AS rise
  FROM (SELECT device, product, day, last(battery ORDER BY last) AS battery FROM heard WHERE battery IS NOT NULL
        GROUP BY ALL)),
runs AS (
  SELECT *, sum(CAST(coalesce(rise, false) AS INTEGER)) OVER (PARTITION BY device ORDER BY day) AS run FROM charge),
lines AS (
  SELECT device, product, regr_slope(battery, epoch(CAST(day AS TIMESTAMP)) / 86400) AS slope,
    last(battery ORDER BY day) AS now, max(day) - min(day) AS spanned
  FROM (SELECT * FROM runs QUALIFY run = max(run) OVER (PARTITION BY device)) GROUP BY ALL),
forecast AS (
  SELECT product, device, CASE WHEN spanned >= 7 AND slope < 0 THEN now / -slope END AS days FROM lines),
grouped AS (
  SELECT coalesce(product, '') AS subject, count(days) AS rows, count(*) - count(days) AS unknown,
    median(days) AS middle, min(days) AS soonest
  FROM forecast GROUP BY GROUPING SETS ((product), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'battery_middle', 'unit': 'days', 'value': CAST(middle AS DOUBLE)},
  {'measure': 'battery_soonest', 'unit': 'days', 'value': CAST(soonest AS DOUBLE)},
  {'measure': 'battery_unknown', 'unit': 'devices', 'value': CAST(unknown AS DOUBLE)}], recursive := true)
FROM grouped ORDER BY subject;
