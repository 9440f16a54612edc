SELECT customer_id, age
FROM profiles
