# shellcheck shell=bash
. chapters/scripts/session.bash
scratch
try 'echo kept > note'
try 'exec 7< note'
try 'rm note; ls'
try 'readlink /proc/$$/fd/7'
try 'bash -c "cat <&7"'
try 'exec 7<&-'
