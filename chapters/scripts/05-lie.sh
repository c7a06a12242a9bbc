# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools" ./05-images/cmd/...
PATH=$tools:$PATH
ip link set lo up
scratch
registry > /dev/null &
until id=$(pull -q -platform linux/amd64 127.0.0.1:5000/demo/hello:1 2> /dev/null); do sleep 0.1; done
trap 'kill %1; rm -rf "$scratch" "$tools"' EXIT
try 'echo oops >> store/blobs/sha256/'"${id#sha256:}"
try 'inspect 127.0.0.1:5000/demo/hello:1'
try 'pull -q -platform linux/amd64 127.0.0.1:5000/demo/hello:1'
try 'inspect | wc -l'
