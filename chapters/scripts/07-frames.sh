# shellcheck shell=bash disable=SC1091,SC2016
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/api" ./07-daemon/cmd/api
ip link set lo up
"$tools/api" -H tcp://127.0.0.1:2375 >"$tools/log" &
trap 'kill $!; rm -rf "$tools"' EXIT
export DOCKER_HOST=tcp://127.0.0.1:2375 DOCKER_CONFIG=$tools
until (: </dev/tcp/127.0.0.1/2375) 2>/dev/null; do sleep 0.05; done
try 'docker run --name talk toolbox echo hello'
try 'exec 3<>/dev/tcp/127.0.0.1/2375'
try 'printf "POST /v1.50/containers/talk/attach?logs=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n" >&3'
try 'while read -r line && [ "$line" != $'"'"'\r'"'"' ]; do echo "${line%?}"; done <&3; od -A d -t x1z <&3'
