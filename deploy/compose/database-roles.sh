#!/bin/sh
# Run once by the PostgreSQL image on an empty volume: a role that owns the schemas and one that only works in them, so
# that the running node cannot change or delete entries of the log.
set -eu

psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --set owner_password="$(cat /run/secrets/database-owner)" \
    --set app_password="$(cat /run/secrets/database-app)" <<'SQL'
CREATE ROLE gongshi_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE gongshi_app LOGIN PASSWORD :'app_password';
CREATE DATABASE gongshi OWNER gongshi_owner;
REVOKE ALL ON DATABASE gongshi FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE gongshi TO gongshi_app;
SQL
