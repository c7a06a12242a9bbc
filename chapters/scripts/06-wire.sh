# shellcheck shell=bash disable=SC1091,SC2154
. chapters/scripts/session.bash
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/wire" ./06-network/cmd/wire
PATH=$tools:$PATH
try 'wire | grep -A 13 "called blue" | sed "s|/run/wire[0-9]*|DIR|g"'
try 'wire | grep -A 4 "carry"'
