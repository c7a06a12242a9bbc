# shellcheck shell=bash
. chapters/scripts/session.bash
scratch
try 'mkdir box; mount -t tmpfs box box; mount --make-shared box'
try 'unshare --mount --propagation unchanged mount -t tmpfs demo box; grep -c demo /proc/self/mountinfo'
try 'umount box'
try 'unshare --mount --propagation slave mount -t tmpfs demo box; grep -c demo /proc/self/mountinfo'
try 'umount box'
