# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
scratch
umask 022
try 'mkdir -p image/cache; echo hello > image/greeting; echo "a library" > image/library; echo old > image/cache/old'
try 'find image -type f | sort'
try 'mkdir upper work merged'
try 'mount -t overlay overlay -o lowerdir=image,upperdir=upper,workdir=work merged'
try 'ls upper | wc -l; ls merged'
try 'echo goodbye >> merged/greeting'
try 'rm merged/library'
try 'rm -r merged/cache; mkdir merged/cache'
try 'cat merged/greeting; ls merged'
try 'cat image/greeting; ls image'
try 'ls -la --time-style=+ upper'
umount merged
