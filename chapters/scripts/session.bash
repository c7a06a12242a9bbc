# shellcheck shell=bash
# Read by the scripts whose output the book shows. Each command is printed as a reader would type it, and run.

# try prints a command line and runs it. A failing command shows its error and does not end the session.
try() {
    printf '$ %s\n' "$1"
    eval "$1" 2>&1 || true
}

# scratch goes to a new empty directory, which is gone when the script ends.
scratch() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch" || exit
}
