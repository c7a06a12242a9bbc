# shellcheck shell=bash disable=SC1091,SC2016,SC2154
. chapters/scripts/session.bash
scratch
umask 022
try 'mkdir image; head -c 100M /dev/urandom > image/library; echo hello > image/greeting'
try 'ls image; du -sm image'
try 'cp -a image one; cp -a image two; du -sm one two'
try 'rm -r two; cp -al image two; du -sm image two'
try 'echo goodbye > two/greeting; cat image/greeting'
