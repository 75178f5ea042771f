-- The same doses, week by week, all products together.
SELECT 'doses' AS measure, outcome AS subject, week AS part, count(*)::DOUBLE AS value, 'number' AS unit,
  count(*) AS rows, (SELECT of_doses FROM fewest) AS people
FROM doses GROUP BY ALL ORDER BY part, subject;
