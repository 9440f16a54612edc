#!/usr/bin/env bash
# Writes `.env` for docker-compose.yaml: every secret of the stack, made here and now. One that is there is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -e .env ]; then
  echo ".env is there already, and is left as it is."
  exit 0
fi

random() { head --bytes 32 /dev/urandom | base64 | tr '+/' '-_' | tr --delete '=\n'; }

umask 077
cat > .env.draft <<EOF
# Made by deploy/create-env.sh. Whoever can read this file can do everything.
AIRLOOM_ADMIN_PASSWORD=$(random)
AIRFLOW_DATABASE_PASSWORD=$(random)
AIRFLOW_FERNET_KEY=$(random)=
AIRFLOW_JWT_SECRET=$(random)
AIRFLOW_SESSION_SECRET=$(random)
AIRLOOM_DATABASE_PASSWORD=$(random)
MARQUEZ_DATABASE_PASSWORD=$(random)
MLFLOW_DATABASE_PASSWORD=$(random)
POSTGRES_PASSWORD=$(random)
REDIS_PASSWORD=$(random)
S3_SECRET_KEY=$(random)

# What runs besides: demo, lineage, flower; empty for none. With lineage, also name Marquez as the backend.
COMPOSE_PROFILES=demo
# AIRLOOM_LINEAGE_URL=http://marquez:5000
EOF
mv .env.draft .env
echo "Wrote .env. The user is admin; the password is AIRLOOM_ADMIN_PASSWORD in it."
