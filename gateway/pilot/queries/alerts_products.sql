-- Alerts of each product by how they ended, and all of them for each device and thirty days.
WITH each AS (
  SELECT product, sum(epoch(ends) - epoch(begins)) / 86400 / 30 AS device_months FROM watched GROUP BY product)
SELECT 'alerts' AS measure, product AS subject, coalesce(outcome, 'open') AS part, count(*)::DOUBLE AS value,
  'number' AS unit, count(*) AS rows,
  (SELECT of_product FROM fewest) AS people
FROM pilot_alerts GROUP BY ALL
UNION ALL
SELECT 'alerts_device_month', product, '', count(id) / any_value(device_months), 'number', count(id),
  (SELECT of_product FROM fewest)
FROM each LEFT JOIN pilot_alerts USING (product) GROUP BY product
ORDER BY measure, subject, part;
