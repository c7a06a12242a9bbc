# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools" ./05-images/cmd/...
PATH=$tools:$PATH
ip link set lo up
scratch
registry > /dev/null &
until pull -q -platform linux/amd64 127.0.0.1:5000/demo/hello:1 > /dev/null 2>&1; do sleep 0.1; done
trap 'kill %1; rm -rf "$scratch" "$tools"' EXIT
try 'rm -r store; pull -q -platform linux/amd64 127.0.0.1:5000/demo/hello:1'
try 'inspect 127.0.0.1:5000/demo/hello:1'
try 'ls store'
try '(cd store/blobs/sha256; for f in *; do echo "$f  $f"; done | sha256sum --check --quiet && echo every name is true)'
try 'zcat store/blobs/sha256/* 2>/dev/null | tar t --ignore-zeros'
