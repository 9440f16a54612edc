-- The day's weather at each airport and its last observation.
SELECT
    origin,
    last(temp ORDER BY observed_at) AS weather_temp_last,
    last(humid ORDER BY observed_at) AS weather_humid_last,
    last(pressure ORDER BY observed_at) FILTER (pressure IS NOT NULL) AS weather_pressure_last,
    last(wind_speed ORDER BY observed_at) FILTER (wind_speed IS NOT NULL) AS weather_wind_speed_last,
    last(visib ORDER BY observed_at) AS weather_visib_last,
    min(temp) AS weather_temp_min_1d,
    max(temp) AS weather_temp_max_1d,
    min(visib) AS weather_visib_min_1d,
    max(wind_speed) AS weather_wind_speed_max_1d,
    sum(precip) AS weather_precip_1d
FROM weather
GROUP BY origin
