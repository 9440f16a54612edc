SELECT partition, avg(inputs) AS inputs, avg(version) AS version
FROM wines
GROUP BY partition
