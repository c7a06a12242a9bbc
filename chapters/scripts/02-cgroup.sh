# shellcheck shell=bash
# varies: cgroup of .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'ns cgroup'
