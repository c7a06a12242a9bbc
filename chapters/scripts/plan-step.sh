# shellcheck shell=bash disable=SC1091,SC2016
# varies: ━━ [0-9]+ of [0-9]+ ━━
# varies: ━+
# varies: ✓ [0-9]+
# varies: by process [0-9]+
# varies: own, [0-9]+
# varies: ^    - \S+$
# varies: CapBnd +[0-9a-f]+ +[0-9]+
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
try 'printf "%s\n" "c network.Address" n q | cutaway run --rm --step cutaway/toolbox true 2>&1 | sed -n "/Address ━/,\$p"'
try 'printf "%s\n" "c unshare" n q | cutaway run --rm --step cutaway/toolbox true 2>&1 | sed -n "/Unshare ━/,\$p"'
try 'printf "%s\n" "c bounding" n q | cutaway run --rm --step cutaway/toolbox true 2>&1 | sed -n "/Bounding ━/,\$p"'
