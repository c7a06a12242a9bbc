# shellcheck shell=bash
. chapters/scripts/session.bash
scratch
mkdir box
try 'unshare --mount pivot_root box box'
try 'mount --make-rshared /; mount --bind box box'
try 'unshare --mount --propagation unchanged pivot_root box box'
try 'unshare --mount --propagation private pivot_root box box && echo done'
try 'umount box'
