#!/bin/sh
# Brings both databases of the Temporal server to the schema of this release. Safe to repeat, and the first
# step of each upgrade. `temporal-sql-tool` reads the connection from SQL_HOST, SQL_PORT, SQL_USER,
# SQL_PASSWORD and SQL_PLUGIN; the schemas are part of it.
set -eu

for schema in temporal visibility; do
  database=temporal
  [ "$schema" = visibility ] && database=temporal_visibility
  echo "Database $database"
  SQL_DATABASE=$database temporal-sql-tool setup-schema --version 0.0
  SQL_DATABASE=$database temporal-sql-tool update-schema --schema-name "postgresql/v12/$schema"
done
