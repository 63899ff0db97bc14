#!/bin/sh
# Postgres runs this once, when its volume is new: a database and a role for Airflow and for the CRM,
# and a role that may enter the CRM's, where prepare.sh lets it keep what webhooks tell.
set -eu

create() {
    psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
        --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}

create airflow "$AIRFLOW_DATABASE_PASSWORD"
create crm "$CRM_DATABASE_PASSWORD"

psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --set password="$WEBHOOKS_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE webhooks LOGIN PASSWORD :'password';
GRANT CONNECT ON DATABASE crm TO webhooks;
SQL
