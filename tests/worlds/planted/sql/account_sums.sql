SELECT account, sum(amount) AS amount_sum FROM payments GROUP BY account
