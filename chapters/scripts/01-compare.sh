# shellcheck shell=bash
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./01-chroot/cmd/jail
trap 'rm -rf "${PATH%%:*}"' EXIT
try 'jail compare'
