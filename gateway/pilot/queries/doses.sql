-- Planned doses whose time is over: taken in time, late, missed, or without a word from the dispenser.
WITH grouped AS (
  SELECT coalesce(product, '') AS subject, count(*) AS rows, count(DISTINCT home) AS people,
    count(*) FILTER (outcome = 'in_time') AS in_time, count(*) FILTER (outcome = 'late') AS late,
    count(*) FILTER (outcome = 'missed') AS missed, count(*) FILTER (outcome = 'no_word') AS no_word
  FROM doses GROUP BY GROUPING SETS ((product), ()) HAVING count(*) > 0)
SELECT subject, '' AS part, rows, people, unnest([
  {'measure': 'doses_planned', 'unit': 'number', 'value': CAST(rows AS DOUBLE)},
  {'measure': 'doses_in_time', 'unit': 'number', 'value': CAST(in_time AS DOUBLE)},
  {'measure': 'doses_late', 'unit': 'number', 'value': CAST(late AS DOUBLE)},
  {'measure': 'doses_missed', 'unit': 'number', 'value': CAST(missed AS DOUBLE)},
  {'measure': 'doses_no_word', 'unit': 'number', 'value': CAST(no_word AS DOUBLE)},
  {'measure': 'doses_in_time_share', 'unit': 'percent', 'value': 100.0 * in_time / rows},
  {'measure': 'doses_missed_share', 'unit': 'percent', 'value': 100.0 * missed / rows}], recursive := true)
FROM grouped ORDER BY subject;
