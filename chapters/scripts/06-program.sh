# shellcheck shell=bash disable=SC1091
# The host of this session is a network namespace of its own.
[ "${1-}" ] || exec unshare --net bash "$0" inside
. chapters/scripts/session.bash
try 'nft "add table ip demo; add chain ip demo publish; add chain ip demo output { type nat hook output priority -100; }"'
try 'nft --debug=netlink add rule ip demo output fib daddr type local jump publish | grep "\["'
