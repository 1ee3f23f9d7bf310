#!/bin/bash
# Creates the user `slave` on the source. Keep this file without its executable bit: then the image's entry point
# sources it, and its function docker_process_sql reaches the server without a password on a command line.
#
# SELECT is for the definitions of tables that the binary log alone does not describe, and for the first copy.

slave_password=${SLAVE_PASSWORD:?SLAVE_PASSWORD is not set}
slave_password=${slave_password//\\/\\\\}
slave_password=${slave_password//\'/\\\'}

# The user belongs to this server alone: it stays out of the binary log.
docker_process_sql <<SQL
SET SESSION sql_log_bin = 0;
CREATE USER 'slave'@'%' IDENTIFIED BY '$slave_password';
GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT, LOCK TABLES ON *.* TO 'slave'@'%';
SQL
unset slave_password
