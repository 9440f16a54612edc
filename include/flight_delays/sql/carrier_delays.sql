-- How often each carrier's flights landed late; one that has not landed by the end of the day is not in the table yet.
SELECT carrier, avg(late) AS carrier_late_rate_28d
FROM flights
GROUP BY carrier
