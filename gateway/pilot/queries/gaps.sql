-- What the data cannot tell: days without a message, clocks that are wrong, unreadable frames, silent devices.
WITH named AS (
  SELECT product, count(*) AS devices, count(*) FILTER (device NOT IN (SELECT device FROM heard)) AS never,
    count(*) FILTER (supervised AND heartbeat_s IS NULL) AS unpromised,
    CAST(timezone(any_value(zone), timezone('UTC', min(begins))) AS DATE) AS first,
    CAST(timezone(any_value(zone), timezone('UTC', max(ends) - INTERVAL 1 SECOND)) AS DATE) AS last
  FROM watched, pilot GROUP BY product),
spoke AS (
  SELECT product, count(DISTINCT day) AS days, sum(messages) AS messages, sum(unsynced) AS unsynced,
    sum(untimed) AS untimed
  FROM heard GROUP BY product),
bad AS (
  SELECT w.product, count(*) AS frames FROM quarantine q JOIN watched w USING (device)
  WHERE q.received >= w.begins AND q.received < w.ends GROUP BY ALL),
gathered AS (
  SELECT product AS subject, devices AS rows, never, unpromised, (last - first + 1) - coalesce(days, 0) AS empty,
    messages, 100.0 * unsynced / messages AS wrong, 100.0 * untimed / messages AS untimed,
    coalesce(frames, 0) AS frames
  FROM named LEFT JOIN spoke USING (product) LEFT JOIN bad USING (product))
SELECT subject, '' AS part, rows, unnest([
  {'measure': 'gap_devices', 'unit': 'devices', 'value': CAST(rows AS DOUBLE)},
  {'measure': 'gap_never', 'unit': 'devices', 'value': CAST(never AS DOUBLE)},
  {'measure': 'gap_unpromised', 'unit': 'devices', 'value': CAST(unpromised AS DOUBLE)},
  {'measure': 'gap_days', 'unit': 'days', 'value': CAST(empty AS DOUBLE)},
  {'measure': 'gap_messages', 'unit': 'number', 'value': CAST(messages AS DOUBLE)},
  {'measure': 'gap_unsynced', 'unit': 'percent', 'value': CAST(wrong AS DOUBLE)},
  {'measure': 'gap_untimed', 'unit': 'percent', 'value': CAST(untimed AS DOUBLE)},
  {'measure': 'gap_unread', 'unit': 'number', 'value': CAST(frames AS DOUBLE)}], recursive := true)
FROM gathered ORDER BY subject;
