#!/bin/sh
# Fresh passwords for compose.yaml in ./secrets, readable by you alone. Existing files are never overwritten.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets

fresh() {
    if [ ! -e "secrets/$1" ]; then
        od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1"
    fi
}

address() {
    if [ ! -e "secrets/$1" ]; then
        printf 'postgresql://%s:%s@127.0.0.1:5432/gongshi' "$2" "$(cat "secrets/$3")" >"secrets/$1"
        # The node runs under account 10001 inside the container and has to read these two.
        if [ "$(id -u)" = 0 ]; then
            chown 10001 "secrets/$1"
        else
            chmod 0444 "secrets/$1"
        fi
    fi
}

fresh database-admin
fresh database-owner
fresh database-app
address database-url gongshi_app database-app
address database-owner-url gongshi_owner database-owner
echo "deploy/compose/secrets is ready"
