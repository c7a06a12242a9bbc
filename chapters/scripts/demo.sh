# shellcheck shell=bash
# varies: [0-9]+ (✓|httpd)
# varies: ^  (hostname|all processes|mounts|network) .*
# varies: \.\.\.\S+
# varies: ^  steps .*
echo '$ make demo'
final/demo
