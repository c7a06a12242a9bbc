# shellcheck shell=bash disable=SC1091,SC2016
# varies: ^[0-9]+$
# varies: step [0-9]+
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
try "cutaway run --rm --step-at pivot --step-run 'wc -l < /proc/\$CUTAWAY_PID/mountinfo' --step-at hostname --step-run 'wc -l < /proc/\$CUTAWAY_PID/mountinfo' cutaway/toolbox echo in"
try "cutaway run --step-at exec --step-run 'exit 3' --name half cutaway/toolbox true"
try "cutaway explain half | grep -c ↩"
