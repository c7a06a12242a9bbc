# shellcheck shell=bash
# varies: (numbers of the child|program of PID 1|processes in /proc) .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'ns pid'
