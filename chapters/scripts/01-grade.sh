# shellcheck shell=bash
# varies: Makefile:[0-9]+
. chapters/scripts/session.bash
DIR=$(mktemp -d)/01-chroot
unset MAKEFLAGS MAKELEVEL ARGS # of a make above us, which would have this one say where it is
export DIR # make takes it from here; a reader's copy is in mine/01-chroot
trap 'rm -rf "${DIR%/*}"' EXIT

# learn is try, in a directory of ours
learn() {
    printf '$ %s\n' "$1"
    eval "${1//mine\/01-chroot/$DIR}" 2>&1 | sed "s:$DIR:mine/01-chroot:g; s: DIR=mine/01-chroot::; s:$PWD:/home/you/cutaway:g"
}
learn 'make exercise CH=01'
learn 'sed -i '\''s/^import (/& "golang.org\/x\/sys\/unix";/; s/return unsolved("jail")/return unix.Chroot(c.Root)/'\'' mine/01-chroot/chroot.go'
learn 'make grade CH=01'
learn 'cp 01-chroot/{breakout,chroot,openin,pivot}.go mine/01-chroot/'
learn 'make grade CH=01'
