# shellcheck shell=bash disable=SC1091,SC2016
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
try 'cutaway run --rm --step-at hostname --step-run "kill -KILL $ENGINE; sleep 1" cutaway/toolbox true'
try 'ls $root/data/containers $root/run/netns | grep -c "[0-9a-f]\{64\}"; grep -c "$root/run/containers" /proc/self/mountinfo'
try 'engine'
try 'ls $root/data/containers $root/run/netns | grep -c "[0-9a-f]\{64\}"; grep -c "$root/run/containers" /proc/self/mountinfo'
