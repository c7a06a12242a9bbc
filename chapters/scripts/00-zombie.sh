# shellcheck shell=bash
. chapters/scripts/session.bash
try 'bash -c "sleep 0.1 & exec sleep 60" &'
for _ in {1..500}; do
    [[ $(ps -o stat= --ppid $!) == Z* ]] && break
    sleep 0.02
done
try 'sleep 1; ps -o s,args -p $! --ppid $!'
try 'kill $!'
wait
