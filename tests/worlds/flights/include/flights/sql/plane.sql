SELECT
    tailnum,
    CASE WHEN year BETWEEN 1900 AND year($as_of) THEN year($as_of) - year END AS plane_age,
    nullif(seats, 0) AS plane_seats,
    manufacturer AS plane_manufacturer
FROM planes
