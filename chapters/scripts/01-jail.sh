# shellcheck shell=bash
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./01-chroot/cmd/jail
scratch
trap 'rm -rf "$scratch" "${PATH%%:*}"' EXIT
try 'jail make box sh ls cat'
try "ls box"
try 'jail chroot box ls /'
try 'jail chroot box cat /etc/hostname'
try 'cp /bin/true box/; rm -r box/lib64; jail chroot box /true'
