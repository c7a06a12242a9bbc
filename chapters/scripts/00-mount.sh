# shellcheck shell=bash
# varies: ^[0-9]+ [0-9]+ [0-9]+:[0-9]+
. chapters/scripts/session.bash
scratch
try 'mkdir a b; echo hidden > a/file'
try 'mount -t tmpfs -o size=1m demo a; ls a'
try 'echo shown > a/file; mount --bind a b; cat b/file'
try 'umount a; cat a/file b/file'
try 'grep demo /proc/self/mountinfo'
try 'umount b; grep -c demo /proc/self/mountinfo'
