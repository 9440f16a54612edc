SELECT courier, count(*) AS courier_parcels_3d, avg(late) AS courier_late_rate_3d
FROM parcels
GROUP BY courier
