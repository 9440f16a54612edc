SELECT depot, last(speed ORDER BY observed_at) AS depot_speed_last
FROM traffic
GROUP BY depot
