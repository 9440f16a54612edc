-- How late the last 20 flights of each flight number landed, and whether the last one was late.
WITH ranked AS (
    SELECT *, row_number() OVER (PARTITION BY carrier, flight, origin ORDER BY scheduled_at DESC, flight_id) AS place
    FROM flights
    WHERE late IS NOT NULL
)
SELECT
    carrier,
    flight,
    origin,
    avg(late) AS number_late_rate_20,
    avg(arr_delay) AS number_arr_delay_mean_20,
    max(late) FILTER (place = 1) AS number_last_late
FROM ranked
WHERE place <= 20
GROUP BY carrier, flight, origin
