-- How often the flights of each route landed late.
SELECT origin, dest, avg(late) AS route_late_rate_28d
FROM flights
GROUP BY origin, dest
