-- Real alarms of the promised severities: on site in the promised time, later, or no arrival on record.
WITH judged AS (
  SELECT CASE WHEN on_site IS NULL THEN 'unrecorded'
      WHEN epoch(on_site) - epoch(raised) <= promise_min * 60 THEN 'kept' ELSE 'later' END AS how
  FROM steps, pilot
  WHERE type = 'SP' AND severity IN (SELECT severity FROM promise_severities)
    AND (outcome = 'real' OR (state <> 'closed' AND raised < until - to_seconds(promise_min * 60)))),
counted AS (
  SELECT count(*) FILTER (how = 'kept') AS kept, count(*) FILTER (how = 'later') AS later,
    count(*) FILTER (how = 'unrecorded') AS unrecorded, count(*) AS rows FROM judged)
SELECT '' AS subject, '' AS part, rows, unnest([
  {'measure': 'promise_share', 'unit': 'percent', 'value': CASE WHEN rows > 0 THEN 100.0 * kept / rows END},
  {'measure': 'promise_alarms', 'unit': 'number', 'value': CAST(rows AS DOUBLE)},
  {'measure': 'promise_kept', 'unit': 'number', 'value': CAST(kept AS DOUBLE)},
  {'measure': 'promise_later', 'unit': 'number', 'value': CAST(later AS DOUBLE)},
  {'measure': 'promise_unrecorded', 'unit': 'number', 'value': CAST(unrecorded AS DOUBLE)}], recursive := true)
FROM counted, pilot WHERE promise_min IS NOT NULL;
