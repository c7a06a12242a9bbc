# shellcheck shell=bash
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
try "sh -c 'kill \$\$; echo still here'"
try "ns all sh -c 'kill \$\$; echo still here'"
try "ns all ns init sh -c 'kill \$\$; echo still here'; echo \$?"
try "ns all sh -c '(sleep 0.1 &); exec sleep 62' &"
for _ in {1..500}; do
    [[ $(ps -o stat= --ppid "$(pgrep -nxf 'sleep 62')" 2>/dev/null) == Z* ]] && break
    sleep 0.02
done
try 'sleep 1; ps -o s,args --ppid $(pgrep -nxf "sleep 62")'
try 'kill -9 $(pgrep -nxf "sleep 62")'
wait
