-- How late each airport's flights left and landed, today and this week.
SELECT
    origin,
    count(*) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS origin_flights_1d,
    avg(late) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS origin_late_rate_1d,
    avg(late) AS origin_late_rate_7d,
    avg(dep_delay) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS origin_dep_delay_mean_1d,
    avg(dep_delay) AS origin_dep_delay_mean_7d,
    avg(cancelled::INTEGER) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS origin_cancel_rate_1d,
    avg(cancelled::INTEGER) AS origin_cancel_rate_7d
FROM flights
GROUP BY origin
