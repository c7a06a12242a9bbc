# shellcheck shell=bash
# Read by the scripts that need an engine: one of their own, in a directory that goes with them.

root=$(mktemp -d /tmp/cutaway.XXXXXX)
export CUTAWAY_HOST=unix://$root/sock

# engine starts it and waits until it answers; $ENGINE is its process, which is no job of this shell.
engine() {
    ENGINE=$(cutaway daemon -H "$CUTAWAY_HOST" --data-root "$root/data" --exec-root "$root/run" >>"$root/log" 2>&1 & echo $!)
    export ENGINE
    until cutaway version >/dev/null 2>&1; do
        kill -0 "$ENGINE" || exit
        sleep 0.05
    done
}

# finish removes the containers, ends the engine, and removes its directory.
finish() {
    local ids
    ids=$(cutaway ps -aq)
    for id in $ids; do cutaway rm -f -v "$id" >/dev/null; done
    kill "$ENGINE"
    while kill -0 "$ENGINE" 2>/dev/null; do sleep 0.05; done
    cd /
    rm -rf "$root"
}
trap finish EXIT
engine
