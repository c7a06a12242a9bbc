# shellcheck shell=bash disable=SC1091
. chapters/scripts/session.bash
try 'unshare --net ip -br link show lo'
try 'unshare --net bash -c ": > /dev/tcp/127.0.0.1/80"'
try 'unshare --net bash -c "ip link set lo up; : > /dev/tcp/127.0.0.1/80"'
