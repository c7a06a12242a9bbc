# shellcheck shell=bash
. chapters/scripts/session.bash
hostname laptop
try 'name=$(hostname); chroot / sh -c "hostname box"; hostname'
try 'hostname "$name"; hostname'
