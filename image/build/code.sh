#!/bin/sh
# Compiles the desk's own code and closes it: root's, readable by all, writable by nobody who runs it.
set -eu

rm -rf /opt/atum/image/build
find /opt/atum -name __pycache__ -prune -exec rm -rf {} +
chown -R root:root /opt/atum
chmod -R u=rwX,go=rX /opt/atum
/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/atum/app /opt/atum/image
