# shellcheck shell=bash disable=SC1091,SC2016
# varies: (-> |in |container |built |sha256:)[0-9a-f]{12,64}
# varies: engine  [0-9.]+kB
. chapters/scripts/session.bash
. chapters/scripts/engine.bash
mkdir "$root/hello" && cd "$root/hello" || exit
printf 'FROM cutaway/toolbox\nRUN echo "the slow part" > /slow\nCOPY greeting /\nCMD ["cat", "/greeting"]\n' > Dockerfile
echo hello > greeting
try 'cat Dockerfile'
try 'cutaway build -t hello .'
try 'cutaway run --rm hello'
try 'echo good evening > greeting; cutaway build -t hello . | grep -A 1 Step'
try 'touch greeting; cutaway build -t hello . | grep -c "Using cache"'
try 'jq -c "{Step, Files}" ../data/cache/*.json | sort'
try 'printf "FROM hello\nRUN cat /nothing\n" | cutaway build -; echo "exit status $?"'
