#!/bin/sh
# Runs three instances of stickwatch with a PostgreSQL of their own on this machine, to try what happens
# when one of them is killed, stopped or paused:
#
#   sh fleet.sh stickwatch.yml     # without the keys listen, history and fleet
#
# Needs stickwatch and PostgreSQL 15 or newer (initdb, pg_ctl). Ctrl-C ends everything; nothing is kept.
set -eu
clusters=$(realpath "${1:?expected a configuration: sh fleet.sh stickwatch.yml}")
port=${PORT:-9750} # PostgreSQL; the instances have the next three
PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
command -v stickwatch >/dev/null || { echo "there is no stickwatch in PATH" >&2; exit 1; }
command -v initdb >/dev/null || { echo "there is no initdb: install PostgreSQL" >&2; exit 1; }

dir=$(mktemp -d)
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    chown postgres "$dir"
    as="runuser -u postgres --"
fi
running=""
end() {
    trap - EXIT INT TERM
    for process in $running; do kill "$process" 2>/dev/null || true; done
    wait || true
    $as pg_ctl -D "$dir/data" -m fast stop >/dev/null || true
    rm -rf "$dir"
}
trap end EXIT
trap 'exit 0' INT TERM

$as initdb -D "$dir/data" -U stickwatch -A trust >/dev/null
$as pg_ctl -D "$dir/data" -l "$dir/postgres.log" -w -o "-h 127.0.0.1 -p $port -k ''" start >/dev/null

(umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$dir/fleet.key") # a takeover continues sessions

for name in mon1 mon2 mon3; do
    port=$((port + 1))
    {
        cat "$clusters"
        echo "listen: 127.0.0.1:$port"
        echo "history: {url: \"postgres://stickwatch@127.0.0.1:${PORT:-9750}/postgres\"}"
        echo "fleet: {instance: $name, site: site${name#mon}, key_file: fleet.key}" # for clusters with sites: [site1, site2, site3]
    } >"$dir/$name.yml"
    stickwatch serve -c "$dir/$name.yml" --admin-socket "$dir/$name.sock" 2>"$dir/$name.log" &
    running="$running $!"
    echo "$name: http://127.0.0.1:$port/, process $!, log $dir/$name.log"
done
echo "who watches what: stickwatch fleet -c $dir/mon1.yml"
wait
echo "all instances have ended:" >&2
tail -n 20 "$dir"/mon1.log >&2
exit 1
