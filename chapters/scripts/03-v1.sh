# shellcheck shell=bash
# The commands of this page that only one kind of machine understands are run, and compared with this file, by
# 03-cgroups/session_test.go on a machine of that kind.
cat 03-cgroups/testdata/session/v1
