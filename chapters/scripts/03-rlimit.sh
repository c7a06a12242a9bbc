# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# varies: [0-9]+ killed
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/limit" ./03-cgroups/cmd/limit || exit
scratch
trap 'rm -rf "$scratch" "$tools"' EXIT
PATH=$tools:$PATH
cat > three <<'END'
for i in 1 2 3; do head -c 100M /dev/zero | tail -c 100M | wc -c & done; wait
END
try 'cat three'
try '(ulimit -v 200000; sh three)'
try 'limit -memory 200m -memory-swap 200m sh three 2>&1 >/dev/null | grep killed'
