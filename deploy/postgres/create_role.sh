#!/bin/sh
# Makes the application's role when the cluster is new; `prepare_database` gives it its rights.
set -eu

# A variable on Kubernetes, a file with compose. Standing alone, a file that is missing ends this.
password="${DATABASE_PASSWORD:-$(cat /run/secrets/database_password)}"
psql --set ON_ERROR_STOP=1 --set password="$password" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE mlservice_app LOGIN PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
