# shellcheck shell=bash
# varies: (mounts|file system at|propagation) .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'ns mount'
