-- How long a message was on its way: received less occurred, where the device's clock can be believed.
WITH grouped AS (
  SELECT coalesce(product, '') AS subject, count(*) AS rows, quantile_cont(late_s, 0.5) AS p50,
    quantile_cont(late_s, 0.9) AS p90, max(late_s) AS most, 100.0 * count(*) FILTER (late_s > 300) / count(*) AS late
  FROM happened WHERE clock = 'synced' AND late_s >= 0 GROUP BY GROUPING SETS ((product), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'latency_p50', 'unit': 'seconds', 'value': CAST(p50 AS DOUBLE)},
  {'measure': 'latency_p90', 'unit': 'seconds', 'value': p90},
  {'measure': 'latency_max', 'unit': 'seconds', 'value': most},
  {'measure': 'latency_late', 'unit': 'percent', 'value': late}], recursive := true)
FROM grouped ORDER BY subject;
