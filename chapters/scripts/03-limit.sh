# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# varies: in [0-9]+ of [0-9]+ periods
# varies: [0-9]+ killed
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/limit" ./03-cgroups/cmd/limit || exit
scratch
trap 'rm -rf "$scratch" "$tools"' EXIT
PATH=$tools:$PATH
try 'limit -memory 20m -memory-swap 20m tail /dev/zero 2>&1 | head -2'
try 'limit -pids 10 dash -c "while :; do sleep 1000 & done" 2>&1 | grep -e fork -e left'
try 'limit -cpus 0.2 timeout 1 sh -c "while :; do :; done" 2>&1 | grep throttled'
try 'limit -events -memory 20m -memory-swap 20m tail /dev/zero 2>&1 | grep "oom "'
