#!/bin/sh
# Runs to its end before Airflow starts: the login of the administrator, and every database up to date.
set -eu
umask 077
python -c 'import json, os; print(json.dumps({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}))' \
    > "$AIRFLOW_HOME/passwords.json"
airflow db migrate
python -m quickbooks_crm migrate
python -m quickbooks_crm allow-webhooks --role webhooks
if [ "${INSTALL_CRM:-no}" = yes ]; then
    python -m quickbooks_crm install-crm
fi
