# shellcheck shell=bash
# varies:  *[0-9]+ +[0-9]+ (bash|sleep|ps)
. chapters/scripts/session.bash
try 'sleep 60 & ps -o pid,ppid,comm -p $$ --ppid $$'
try 'kill %1; wait %1; echo $?'
try 'bash -c "exit 3"; echo $?'
