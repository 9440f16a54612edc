SELECT tailnum, last(arr_delay ORDER BY scheduled_at, flight_id) AS aircraft_last_arr_delay
FROM flights
WHERE tailnum IS NOT NULL
GROUP BY tailnum
