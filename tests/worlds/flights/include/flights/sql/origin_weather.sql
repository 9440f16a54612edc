SELECT
    origin,
    last(temp ORDER BY observed_at) AS weather_temp_last,
    min(temp) AS weather_temp_min_1d,
    sum(precip) AS weather_precip_1d
FROM weather
GROUP BY origin
