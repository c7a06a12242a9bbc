# shellcheck shell=bash disable=SC1091,SC2016
# varies: ^ *[0-9]+ [↩✗·✓]
# varies: [0-9]+ steps
# varies: file:[0-9]+|\.go:[0-9]+
# varies: ^container .*
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
try 'cutaway run --name web -m 64m cutaway/toolbox hostname'
try 'cutaway explain web | grep -A 5 chroot.Pivot'
try 'cutaway explain --json web | jq -r ".[] | select(.lane == \"wire\" or .lane == \"cable\").step"'
try 'cutaway run --name late --user nobody2 cutaway/toolbox hostname'
try 'cutaway explain late | grep -A 7 "✗"'
