#!/usr/bin/env bash
# Writes `.env` for docker-compose.yaml: every secret of the stack, made here and now. One that is there is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo ".env is there already, and is left as it is."
  exit 0
fi

names=(AIRLOOM_ADMIN_PASSWORD AIRFLOW_DATABASE_PASSWORD AIRFLOW_FERNET_KEY AIRFLOW_JWT_SECRET AIRFLOW_SESSION_SECRET
  AIRLOOM_DATABASE_PASSWORD MARQUEZ_DATABASE_PASSWORD MLFLOW_DATABASE_PASSWORD POSTGRES_PASSWORD REDIS_PASSWORD
  S3_SECRET_KEY)

umask 077
{
  echo "# Made by deploy/create-env.sh. Whoever can read this file can do everything."
  for name in "${names[@]}"; do
    # 32 bytes in letters that need no quotes; a Fernet key is padded, in an address that would have to be escaped.
    secret=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n')
    [ "${#secret}" -eq 44 ] || { echo "No secret could be made: head, base64 or tr does something else here." >&2; exit 1; }
    [ "$name" = AIRFLOW_FERNET_KEY ] || secret=${secret%=}
    echo "$name=$secret"
  done
  echo
  echo "# What runs besides: demo, lineage, flower; empty for none. With lineage, also name Marquez as the backend."
  echo "COMPOSE_PROFILES=demo"
  echo "# AIRLOOM_LINEAGE_URL=http://marquez:5000"
} > .env.draft
mv .env.draft .env
echo "Wrote .env. The user is admin; the password is AIRLOOM_ADMIN_PASSWORD in it."
