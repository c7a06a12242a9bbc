# shellcheck shell=bash disable=SC1091,SC2016
# varies: [0-9]+ (milli)?seconds? ago|Less than a second ago|About a minute ago
# varies: Up [0-9]+s
. chapters/scripts/session.bash
tools=$(mktemp -d)
go build -o "$tools/api" ./07-daemon/cmd/api
"$tools/api" -H "unix://$tools/api.sock" >"$tools/log" &
trap 'kill $!; rm -rf "$tools"' EXIT
export DOCKER_HOST=unix://$tools/api.sock DOCKER_CONFIG=$tools
until [ -S "$tools/api.sock" ]; do sleep 0.05; done
try 'echo some words | docker run --rm -i toolbox cat'
try 'docker run --rm toolbox exit 7; echo $?'
try 'docker run -d --name web toolbox sleep 1000'
try 'docker ps --format "{{.ID}}  {{.Names}}  {{.Image}}  {{.Command}}"'
try 'docker exec web echo inside'
try 'docker kill -s INT web; docker wait web'
try 'docker rm web; docker logs web'
try 'docker network ls'
