-- Persons with each technology, by sex; supervision by day and by night by when its looks are planned.
WITH technologies AS (
  SELECT person, CASE kind WHEN 'gps_tracker' THEN 'gps_alarm' ELSE kind END AS technology FROM watched
  UNION
  SELECT w.person, CASE WHEN CASE WHEN night_from > night_until
      THEN s.starts >= night_from OR s.starts < night_until
      ELSE s.starts >= night_from AND s.starts < night_until END
    THEN 'supervision_night' ELSE 'supervision_day' END
  FROM watched w JOIN windows s ON s.device = w.device AND s.what = 'look', pilot),
persons_with AS (SELECT DISTINCT technology, person, sex FROM technologies JOIN persons USING (person))
SELECT 'persons' AS measure, technology AS subject,
  CASE WHEN grouping(sex) = 1 THEN '' WHEN sex = '' THEN 'untold' ELSE sex END AS part,
  count(*)::DOUBLE AS value, 'persons' AS unit, count(*) AS rows, count(*) AS people
FROM persons_with GROUP BY GROUPING SETS ((technology, sex), (technology)) ORDER BY subject, part;
