-- The load of whoever is asked first for an alert or later (ISA-18.2): an alert counts once for each of them.
WITH asked AS (
  SELECT d.recipient, d.alert, min(d.queued) AS at_first, any_value(a.severity) AS severity
  FROM pilot_deliveries d JOIN pilot_alerts a ON a.id = d.alert WHERE d.state <> 'skipped' GROUP BY ALL),
names AS (
  SELECT recipient, CAST(row_number() OVER (ORDER BY count(*) DESC, min(at_first), recipient) AS VARCHAR) AS subject
  FROM asked GROUP BY recipient),
tens AS (
  SELECT recipient, count(*) AS n FROM asked GROUP BY recipient, time_bucket(INTERVAL 10 MINUTE, at_first)),
span AS (SELECT (epoch(until) - epoch(since)) / 3600 AS hours FROM pilot),
peaks AS (
  SELECT recipient, max(n) AS peak, 100.0 * count(*) FILTER (n > 10) / (any_value(hours) * 6) AS flood
  FROM tens, span GROUP BY recipient),
loads AS (
  SELECT recipient, count(*) AS rows, count(*) / any_value(hours) AS an_hour,
    100.0 * count(*) FILTER (severity = 'high') / count(*) AS high,
    100.0 * count(*) FILTER (severity = 'medium') / count(*) AS medium,
    100.0 * count(*) FILTER (severity IN ('low', 'info')) / count(*) AS low
  FROM asked, span GROUP BY recipient)
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'load_alerts', 'unit': 'number', 'value': CAST(rows AS DOUBLE)},
  {'measure': 'load_hour', 'unit': 'number', 'value': CAST(an_hour AS DOUBLE)},
  {'measure': 'load_peak', 'unit': 'number', 'value': CAST(peak AS DOUBLE)},
  {'measure': 'load_flood', 'unit': 'percent', 'value': CAST(flood AS DOUBLE)},
  {'measure': 'load_high', 'unit': 'percent', 'value': high},
  {'measure': 'load_medium', 'unit': 'percent', 'value': medium},
  {'measure': 'load_low', 'unit': 'percent', 'value': low}], recursive := true)
FROM loads JOIN peaks USING (recipient) JOIN names USING (recipient) ORDER BY CAST(subject AS INTEGER);
