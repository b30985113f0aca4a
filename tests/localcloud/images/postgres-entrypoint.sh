#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# As much of the entrypoint of Docker's official image as is used: POSTGRES_USER, POSTGRES_PASSWORD (or its _FILE),
# POSTGRES_DB, PGDATA. It runs as any user but root, and its root file system may be read-only.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"
[ "${1:-postgres}" = postgres ] || exec "$@"
shift || true

if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set" >&2
        exit 1
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    given=$(mktemp)
    printf '%s\n' "$POSTGRES_PASSWORD" >"$given"
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$given" --auth-local=trust --auth-host=scram-sha-256 \
        -E UTF8 --locale=C.UTF-8
    rm -f "$given"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    # over the socket alone, so that no client meets a server that is half made
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start
    if [ "$POSTGRES_DB" != postgres ]; then
        createdb -h /tmp -U "$POSTGRES_USER" "$POSTGRES_DB"
    fi
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
