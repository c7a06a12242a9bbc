# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# The host of this session is a network namespace of its own.
[ "${1-}" ] || exec unshare --net --mount bash "$0" inside
. chapters/scripts/session.bash
scratch
trap 'umount box; rm -rf "$scratch"' EXIT
try 'ip link add bridge0 type bridge'
try 'ip address add 10.1.0.1/24 dev bridge0; ip link set bridge0 up'
try 'touch box; unshare --net=box true; stat -f -c %T box'
try 'ip link add cable type veth peer name eth0 netns $PWD/box'
try 'ip link set cable master bridge0 up'
try 'nsenter --net=box ip address add 10.1.0.2/24 dev eth0'
try 'nsenter --net=box ip link set eth0 up'
try 'nsenter --net=box ip route add default via 10.1.0.1; nsenter --net=box ip route'
try 'bash -c ": > /dev/tcp/10.1.0.2/80"'
