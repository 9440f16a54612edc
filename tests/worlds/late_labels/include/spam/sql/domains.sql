SELECT domain, avg(links) AS links_mean_3d, count(*) AS messages_3d
FROM messages
GROUP BY domain
