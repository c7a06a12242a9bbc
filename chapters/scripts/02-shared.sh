# shellcheck shell=bash
. chapters/scripts/session.bash
hostname laptop
scratch
mkdir box
try 'chroot / sh -c "hostname box"; hostname'
