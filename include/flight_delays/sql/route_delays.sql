-- How late the flights of each route landed.
SELECT
    origin,
    dest,
    count(*) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS route_flights_7d,
    count(*) AS route_flights_28d,
    avg(late) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS route_late_rate_7d,
    avg(late) AS route_late_rate_28d,
    avg(arr_delay) AS route_arr_delay_mean_28d,
    avg(cancelled::INTEGER) AS route_cancel_rate_28d
FROM flights
GROUP BY origin, dest
