-- Alerts by rule and by how they ended; one that nobody has closed has not ended.
SELECT 'alerts' AS measure, rule AS subject, coalesce(outcome, 'open') AS part, count(*)::DOUBLE AS value,
  'number' AS unit, count(*) AS rows,
  (SELECT homes FROM fewest) AS people
FROM pilot_alerts GROUP BY ALL
UNION ALL
SELECT 'alerts', '', coalesce(outcome, 'open'), count(*)::DOUBLE, 'number', count(*), (SELECT homes FROM fewest) FROM pilot_alerts GROUP BY ALL
UNION ALL
SELECT 'alerts', '', '', count(*)::DOUBLE, 'number', count(*), (SELECT homes FROM fewest) FROM pilot_alerts
ORDER BY subject, part;
