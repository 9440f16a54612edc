SELECT store, count(*) AS store_sales, avg(returned) AS store_return_rate FROM sales GROUP BY store
