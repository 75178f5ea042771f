-- What the resident meets: how soon help came, looks that nobody made, visits that nobody needed.
WITH help AS (
  SELECT count(on_site) AS rows, quantile_cont(epoch(on_site) - epoch(raised), 0.5) AS p50,
    quantile_cont(epoch(on_site) - epoch(raised), 0.9) AS p90
  FROM steps WHERE type = 'SP' AND severity = 'high' AND coalesce(outcome, 'real') = 'real'),
needless AS (SELECT count(*) AS n FROM steps WHERE type = 'SP' AND outcome = 'false' AND on_site IS NOT NULL),
asked AS (SELECT count(*) AS rows FROM steps WHERE type = 'SP'),
unseen AS (SELECT count(*) FILTER (outcome = 'missed') AS n, count(*) AS rows FROM looks)
SELECT 'help_p50' AS measure, '' AS subject, '' AS part, p50::DOUBLE AS value, 'seconds' AS unit, rows,
  NULL AS people FROM help
UNION ALL SELECT 'help_p90', '', '', p90::DOUBLE, 'seconds', rows, NULL FROM help
UNION ALL SELECT 'supervision_missed', '', '', CASE WHEN rows > 0 THEN n END, 'number', rows,
  (SELECT of_looks FROM fewest) FROM unseen
UNION ALL SELECT 'visits_needless', '', '', CASE WHEN rows > 0 THEN n END, 'number', rows, NULL FROM needless, asked;
