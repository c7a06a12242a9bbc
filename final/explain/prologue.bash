# ---------------------------------------------------------------------------
# What a shell lacks
# ---------------------------------------------------------------------------

undo=()

# later COMMAND...: remember how to take something back.
later() { undo+=("$(printf '%q ' "$@")"); }

# The end, whatever its reason: first the process, then all the rest, the last thing first.
cleanup() {
    local status=$? i
    trap '' INT TERM HUP
    set +e
    [ -z "${PID-}" ] || kill -KILL "$PID"
    [ -z "${JOB-}" ] || { kill -KILL "$JOB" && wait "$JOB"; } 2>/dev/null
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
        eval "${undo[i]}"
    done
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# remove_group DIRECTORY...: end what is left in a cgroup, and remove it; and its parent, if nobody else is there.
# A process that was killed takes a moment to leave (EBUSY).
remove_group() {
    local dir
    for dir; do
        for _ in {1..100}; do
            [ -d "$dir" ] || break
            xargs --no-run-if-empty kill -KILL <"$dir/cgroup.procs" 2>/dev/null || true
            rmdir "$dir" 2>/dev/null && break
            sleep 0.1
        done
        rmdir "${dir%/*}" 2>/dev/null || true
    done
}

# place PATH: where a path of the container is in the host's tree. To the host's tools, an absolute symbolic
# link in an image leads to the host's own files; the engine has openat2(2) and RESOLVE_IN_ROOT instead.
place() {
    local left=${1#/} at=$R part link links=0
    while [ -n "$left" ]; do
        part=${left%%/*}
        left=${left#"$part"}
        left=${left#/}
        case $part in
        '' | .) continue ;;
        ..) [ "$at" = "$R" ] || at=${at%/*} ;;
        *)
            if [ ! -L "$at/$part" ]; then
                at=$at/$part
                continue
            fi
            [ $((++links)) -le 40 ] || { echo "$1: too many symbolic links" >&2; return 1; }
            link=$(readlink "$at/$part")
            case $link in /*) at=$R ;; esac
            left=$link/$left
            ;;
        esac
    done
    printf '%s\n' "$at"
}

# mount_point SOURCE TARGET: make what is missing to mount on: a directory, or a file for a file.
mount_point() {
    if [ -d "$1" ]; then
        mkdir -p "$2"
    elif [ ! -e "$2" ]; then
        install -D --mode=644 /dev/null "$2"
    fi
}

# entry FILE NAME: a line of passwd or group, by name or else by number.
entry() {
    [ ! -e "$1" ] || awk -F: -v name="$2" '$1 == name { found = $0; exit } $3 == name && !found { found = $0 } END { print found }' "$1"
}

# identify USER GROUP MORE...: sets uid, gid, groups and home by the container's own /etc/passwd and /etc/group.
# shellcheck disable=SC2034 # they are for build, below
identify() {
    local passwd group account name more
    passwd=$(place /etc/passwd)
    group=$(place /etc/group)
    account=$(entry "$passwd" "$1")
    IFS=: read -r name _ uid gid _ home _ <<<"${account:-:x:$1:0::/:}"
    if [ -n "$2" ]; then
        gid=$(entry "$group" "$2" | cut -d: -f3)
        gid=${gid:-$2}
        name=
    fi
    groups=$gid
    if [ -n "$name" ] && [ -e "$group" ]; then
        groups+=$(awk -F: -v name="$name" 'index("," $4 ",", "," name ",") { printf ",%s", $3 }' "$group")
    fi
    for more in "${@:3}"; do
        name=$(entry "$group" "$more" | cut -d: -f3)
        groups+=,${name:-$more}
    done
}

# terminal: open a terminal of the container's /dev/pts, where script(1) finds it, and hold its other end.
# shellcheck disable=SC2016 # for the shell of script(1)
terminal() {
    mount --bind "$R/dev/pts" /dev/pts
    exec script --quiet --command 'echo $$ >"$T/holder"; exec sleep infinity' /dev/null
}

# hang_up: end that; what was written to it is still copied.
hang_up() { { kill "$(cat "$T/holder")" && wait "$TERMINAL"; } 2>/dev/null; }

# remove_bridge NAME, remove_table NAME: unless somebody else has come to use it.
remove_bridge() { [ -n "$(ip -oneline link show master "$1")" ] || ip link delete "$1"; }
remove_table() { nft list table ip "$1" | grep -q elements || nft delete table ip "$1"; }

# remove_thin POOL DEVICE DIRECTORY: let go of a thin device, its pool and the loop devices of the pool's files. The
# kernel removes each of them when nobody uses it any more: an engine that runs uses the pool.
remove_thin() {
    dmsetup remove --deferred "$2"
    dmsetup remove --deferred "$1"
    losetup --noheadings --output NAME --associated "$3/data" | xargs --no-run-if-empty losetup --detach
    losetup --noheadings --output NAME --associated "$3/metadata" | xargs --no-run-if-empty losetup --detach
    dmsetup mknodes # without udev, the names of those that are gone would stay
} 2>/dev/null
