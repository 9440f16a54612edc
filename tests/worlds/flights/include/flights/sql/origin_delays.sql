SELECT
    origin,
    avg(late) AS origin_late_rate_7d,
    avg(dep_delay) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS origin_dep_delay_mean_1d
FROM flights
GROUP BY origin
