# shellcheck shell=bash
. chapters/scripts/session.bash
try 'strace -e trace=mkdir mkdir /proc/mine'
