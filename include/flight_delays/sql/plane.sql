-- The register's entry of each aircraft that flew; a year of 0 or later than the day is a mistake in the register.
SELECT
    tailnum,
    CASE WHEN year BETWEEN 1900 AND year($as_of) THEN year($as_of) - year END AS plane_age,
    nullif(seats, 0) AS plane_seats,
    nullif(engines, 0) AS plane_engines,
    manufacturer AS plane_manufacturer
FROM planes
