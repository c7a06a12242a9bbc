# shellcheck shell=bash
# varies: capabilities .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
chmod 755 "${PATH%%:*}"
try 'setpriv --reuid 1000 --regid 1000 --clear-groups ns user'
