#!/bin/sh
# The users that programs run as, with ids that never change: they own files on volumes that outlive every image.
# Runs before any package does, so that Debian's maintainer scripts find them; fails where the base took an id.
set -eu

make_user() {
  groupadd --gid "$2" "$1"
  useradd --uid "$2" --gid "$2" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment "$3" "$1"
}

make_user nginx 5001 'the web server'
make_user app 5002 'the desk itself'
make_user postgres 5003 'the database server'
make_user redis 5004 'the cache'

# The cache's socket is for its own group: the desk uses it, and root (who has no say over file modes here) watches it.
usermod --append --groups redis app
usermod --append --groups redis root
