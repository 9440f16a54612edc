-- How much each aircraft has flown and how late it landed; its last landing is the newest that is known.
SELECT
    tailnum,
    count(*) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS aircraft_flights_7d,
    count(*) AS aircraft_flights_28d,
    avg(late) AS aircraft_late_rate_28d,
    avg(arr_delay) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS aircraft_arr_delay_mean_7d,
    avg(arr_delay) AS aircraft_arr_delay_mean_28d,
    last(arr_delay ORDER BY scheduled_at, flight_id) FILTER (arr_delay IS NOT NULL) AS aircraft_last_arr_delay
FROM flights
WHERE tailnum IS NOT NULL
GROUP BY tailnum
