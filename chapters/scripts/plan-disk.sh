# shellcheck shell=bash disable=SC1091,SC2016
# varies: "i":[0-9]+
# varies: "took":[0-9]+
# varies: ^ *[0-9]+ (done|begun|undone)
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
cutaway run -d --name web -m 64m cutaway/toolbox sleep 1000 >/dev/null
cd "$root"/run/containers/* || exit
try 'ls'
try 'jq -c ".Items[] | select(.do.step == \"chroot.Pivot\") | {lane, do}" plan.json'
try 'jq -c ".Items[] | select(.do.step == \"namespaces.Hostname\") | {lane, do, shell}" plan.json'
try 'tail -n 2 journal'
try 'cutaway stop -t 0 web; tail -n 1 journal'
try 'jq -r .state journal | sort | uniq -c'
