-- How often the flights landed late that leave an airport in an hour of the day.
SELECT origin, departure_hour, avg(late) AS hour_late_rate_28d
FROM flights
GROUP BY origin, departure_hour
