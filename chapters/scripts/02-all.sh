# shellcheck shell=bash
# varies: (?m)^ +[0-9]+ .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'ns all sh -c "hostname; id -u; ps -e; exit 3"; echo $?'
try 'ns all no-such-program'
