SELECT depot, avg(delay) AS depot_delay_mean_2d
FROM parcels
GROUP BY depot
