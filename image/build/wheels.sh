#!/bin/sh
# usage: wheels.sh LOCK
# Makes /opt/venv with exactly what the lock file names and hashes, compiled ahead because the image's root is read-only when
# it runs ("unchecked-hash" spares a look at each source file at every start). Wheels only; dkimpy and pyspf are published as
# source alone, so they are built here, with Debian's setuptools and not with one fetched unhashed.
set -eu
export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1

apt-get update -qq
apt-get install -qq -y --no-install-recommends binutils python3-pip python3-setuptools python3.13-venv >/dev/null

python3.13 -m venv --without-pip /opt/venv
PYTHONPATH=/usr/lib/python3/dist-packages python3.13 -m pip --python /opt/venv/bin/python install --quiet --no-compile \
  --require-hashes --only-binary :all: --no-binary dkimpy,pyspf --no-build-isolation --requirement "$1"

cd /opt/venv/lib/python3.13/site-packages
# Tests, headers and sources of compiled parts: nothing imports them.
find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h' -o -name '*.c' -o -name '*.pyi' \) -delete
# What debuggers read is four fifths of some compiled parts. Libraries that wheels carry along were moved there by hand: left alone.
find . -type f -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
rm -rf lxml/includes lxml/isoschematron sqlalchemy/testing Crypto/SelfTest /opt/venv/bin/activate* /opt/venv/bin/Activate.ps1

/opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib
# A missing piece shows here, not on somebody's server.
/opt/venv/bin/python -c 'import aiosmtpd.smtp, alembic, argon2, cryptography.x509, dkim, fastapi, imapclient, inscriptis, jinja2, nh3, psycopg, pysequoia
import minio, pyrage, redis, selectolax.lexbor, spf, sqlalchemy.orm, supervisor.supervisord, uvicorn, uvloop'
