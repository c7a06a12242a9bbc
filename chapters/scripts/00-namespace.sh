# shellcheck shell=bash
. chapters/scripts/session.bash
try 'readlink /proc/self/ns/uts'
try 'unshare --uts bash -c "hostname box; hostname; readlink /proc/self/ns/uts"'
try 'readlink /proc/self/ns/uts'
