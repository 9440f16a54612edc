-- How often each aircraft landed late, and how late it landed last, of the landings that are known.
SELECT
    tailnum,
    avg(late) AS aircraft_late_rate_28d,
    last(arr_delay ORDER BY scheduled_at, flight_id) FILTER (arr_delay IS NOT NULL) AS aircraft_last_arr_delay
FROM flights
WHERE tailnum IS NOT NULL
GROUP BY tailnum
