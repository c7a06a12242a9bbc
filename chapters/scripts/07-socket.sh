# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/api" ./07-daemon/cmd/api
PATH=$tools:$PATH
scratch
trap 'rm -rf "$tools" "$scratch"' EXIT
try 'api -H unix://$PWD/s > log & until [ -S s ]; do sleep 0.1; done; stat -c "%A %N" s'
try 'api -H unix://$PWD/s 2>&1 | sed "s|$PWD|…|"'
try 'kill -KILL %1; wait %1 2>/dev/null; stat -c "%A %N" s'
try 'api -H unix://$PWD/s > log & until grep -q listening log; do sleep 0.1; done; stat -c "%A %N" s; kill %1; wait %1'
try 'ls'
try 'api -H tcp://0.0.0.0:2375 2>&1 | fold -s -w 110'
