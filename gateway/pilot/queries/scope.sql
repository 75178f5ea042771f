-- How large the pilot is.
SELECT 'days' AS measure, '' AS subject, '' AS part, (epoch(until) - epoch(since)) / 86400 AS value,
  'days' AS unit, 1 AS rows FROM pilot
UNION ALL SELECT 'homes', '', '', count(DISTINCT home), 'number', count(*) FROM watched
UNION ALL SELECT 'homes', product, '', count(DISTINCT home), 'number', count(*) FROM watched GROUP BY product
UNION ALL SELECT 'devices', product, '', count(*), 'devices', count(*) FROM watched GROUP BY product
ORDER BY measure, subject;
