# shellcheck shell=bash
# varies: (?m)^ +[0-9]+ .*
. chapters/scripts/session.bash
PATH=$(mktemp -d):$PATH && go build -o "${PATH%%:*}" ./02-namespaces/cmd/ns
trap 'rm -rf "${PATH%%:*}"' EXIT
chmod 755 "${PATH%%:*}"
try 'setpriv --reuid nobody --regid nogroup --clear-groups ns all sleep 61 &'
for _ in {1..500}; do
    pgrep -xf 'sleep 61' >/dev/null && break
    sleep 0.02
done
try 'sleep 1; box=$(pgrep -nxf "sleep 61"); ns enter $box sh -c "hostname; id -u; ps -e"'
try 'kill -9 $box'
wait
