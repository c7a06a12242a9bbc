# shellcheck shell=bash disable=SC1091,SC2016
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/api" ./07-daemon/cmd/api
ip link set lo up
"$tools/api" -H tcp://127.0.0.1:2375 >"$tools/log" &
trap 'kill $!; rm -rf "$tools"' EXIT
until (: </dev/tcp/127.0.0.1/2375) 2>/dev/null; do sleep 0.05; done
try 'exec 3<>/dev/tcp/127.0.0.1/2375'
try 'printf "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" >&3; tr -d "\r" <&3 | grep -v Date'
try 'exec 3<>/dev/tcp/127.0.0.1/2375'
try 'printf "GET /v1.50/containers/web/json HTTP/1.0\r\n\r\n" >&3; tail -1 <&3'
