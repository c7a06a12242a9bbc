# shellcheck shell=bash disable=SC1091
# varies: "Created":[0-9]+
. chapters/scripts/session.bash
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/api" ./07-daemon/cmd/api
PATH=$tools:$PATH
try 'api -tour'
