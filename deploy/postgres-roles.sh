#!/bin/sh
# Runs once, when the data directory is empty: a role with a database for the product and a role for Temporal.
# Neither can read the other's databases.
set -eu

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
  --set=numbers_password="$NUMBERS_DB_PASSWORD" --set=temporal_password="$TEMPORAL_DB_PASSWORD" <<'SQL'
create role numbers login password :'numbers_password';
create role temporal login password :'temporal_password';

create database numbers owner numbers;
create database temporal owner temporal;
create database temporal_visibility owner temporal;

revoke connect on database numbers, temporal, temporal_visibility from public;
SQL
