-- From alert to shown, taken, on site and closed: alerts about a person, by how severe they were.
WITH told AS (
  SELECT severity, unnest([
    {'step': 'displayed', 'took_s': epoch(displayed) - epoch(raised)},
    {'step': 'accepted', 'took_s': epoch(accepted) - epoch(raised)},
    {'step': 'on_site', 'took_s': epoch(on_site) - epoch(raised)},
    {'step': 'closed', 'took_s': epoch(closed) - epoch(raised)}], recursive := true)
  FROM steps WHERE type = 'SP' AND coalesce(outcome, 'real') <> 'test'),
grouped AS (
  SELECT step, coalesce(severity, '') AS subject, count(took_s) AS rows, quantile_cont(took_s, 0.5) AS p50,
    quantile_cont(took_s, 0.9) AS p90, count(*) - count(took_s) AS without
  FROM told GROUP BY GROUPING SETS ((step, severity), (step)))
SELECT subject, step AS part, rows, unnest([
  {'measure': 'response_p50', 'unit': 'seconds', 'value': CAST(p50 AS DOUBLE)},
  {'measure': 'response_p90', 'unit': 'seconds', 'value': CAST(p90 AS DOUBLE)},
  {'measure': 'response_without', 'unit': 'number', 'value': CAST(without AS DOUBLE)}], recursive := true)
FROM grouped ORDER BY subject, part;
