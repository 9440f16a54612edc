SELECT
    carrier,
    count(*) FILTER (scheduled_at >= $as_of - INTERVAL 1 DAY) AS carrier_flights_1d,
    count(*) AS carrier_flights_28d,
    avg(late) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS carrier_late_rate_7d,
    avg(late) AS carrier_late_rate_28d,
    avg(arr_delay) FILTER (scheduled_at >= $as_of - INTERVAL 7 DAY) AS carrier_arr_delay_mean_7d
FROM flights
GROUP BY carrier
