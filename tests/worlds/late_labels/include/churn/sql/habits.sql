SELECT customer_id, avg(visits) AS visits_mean_3d
FROM customers
GROUP BY customer_id
