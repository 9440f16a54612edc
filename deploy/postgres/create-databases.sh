#!/usr/bin/env bash
# Run by the image of PostgreSQL when its volume is empty: a database and a role each, which see nothing of one another.
set -euo pipefail

for name in airflow airloom marquez mlflow; do
  password_name="${name^^}_DATABASE_PASSWORD"
  psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --username postgres --set role="$name" --set password="${!password_name}" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
done
