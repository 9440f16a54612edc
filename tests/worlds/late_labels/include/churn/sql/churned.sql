-- What became of a look within the week after it, as it was known a day later.
SELECT customer_id, snapshot_day, arg_max(churned, known_at) AS churned
FROM outcomes
WHERE happened_at > $as_of AND happened_at <= $until
GROUP BY ALL
