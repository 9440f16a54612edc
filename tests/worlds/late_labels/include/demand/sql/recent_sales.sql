WITH newest AS (
    SELECT shop, product, target_day, last(sold ORDER BY counted_at) AS sold
    FROM sales
    GROUP BY shop, product, target_day
)
SELECT shop, product, avg(sold) AS sold_mean_5d, count(*) AS days_sold_5d
FROM newest
GROUP BY shop, product
