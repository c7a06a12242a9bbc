# shellcheck shell=bash
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./01-chroot/cmd/jail
scratch
trap 'rm -rf "$scratch" "${PATH%%:*}"' EXIT
try "echo \"the host's\" > secret; jail make box cat"
try 'jail chroot box cat $PWD/secret'
try 'jail escape dotdot chroot box cat $PWD/secret'
try 'jail escape dotdot pivot box cat $PWD/secret'
