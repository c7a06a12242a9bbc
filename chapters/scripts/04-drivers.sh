# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/layers" ./04-unionfs/cmd/layers || exit
PATH=$tools:$PATH
try 'layers -driver aufs'
try '(cd /proc && layers -driver btrfs 2>&1 | grep -o "is not on a .*")'
