# shellcheck shell=bash
# varies: (uid_map|setgroups|capabilities) .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'ns user'
