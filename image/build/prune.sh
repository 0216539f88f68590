#!/bin/sh
# Takes away what the desk never runs. dpkg's own list stays true, so that a scanner of the image sees what is in it.
set -eu

unwanted='
  libllvm19 libz3-4
  libperl5.40 perl perl-modules-5.40 libjson-perl libio-pty-perl libipc-run-perl libtext-charwidth-perl libtext-wrapi18n-perl
  libgdbm6t64 libgdbm-compat4t64 postgresql-common postgresql-common-dev postgresql-client-common ssl-cert
  iproute2 libbpf1 libelf1t64 libmnl0 libtirpc-common libtirpc3t64 libxtables12 libcap2-bin
  locales libc-l10n procps libproc2-0 ucf sensible-utils adduser passwd
  debian-archive-keyring sqv apt libapt-pkg7.0 debconf perl-base
'

# Without their scripts, which are for machines that live on: they would need the very things that go.
for package in $unwanted; do
  dpkg-query --show "$package" >/dev/null || { echo "prune: $package is not installed; correct this list" >&2; exit 1; }
  rm -f "/var/lib/dpkg/info/$package".*rm "/var/lib/dpkg/info/$package":*.*rm
done
# shellcheck disable=SC2086 # the list is words
dpkg --purge --force-depends --force-remove-essential $unwanted 2>/dev/null >/dev/null

# The JIT's own parts inside packages that stay, and what is only for reading on a desktop.
rm -rf /usr/lib/postgresql/17/lib/llvmjit* /usr/lib/postgresql/17/lib/bitcode /usr/lib/postgresql/17/lib/pgxs
rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/i18n /usr/share/lintian \
  /usr/share/bash-completion /usr/share/perl5 /usr/share/perl /usr/share/postgresql-common /usr/share/vim /usr/share/gdb \
  /usr/share/gcc /usr/share/pixmaps /usr/share/postgresql/17/man /usr/share/zsh /usr/share/polkit-1
rm -rf /etc/apt /etc/postgresql /etc/postgresql-common /etc/init.d /etc/rc?.d /etc/cron.* /etc/logrotate.d /etc/nginx/sites-* \
  /etc/redis /etc/ssl/private
rm -rf /usr/lib/x86_64-linux-gnu/perl* /usr/lib/aarch64-linux-gnu/perl* /usr/lib/python3.13/pydoc_data \
  /usr/lib/python3.13/ensurepip /usr/lib/python3.13/turtledemo

# State of the build itself.
rm -rf /var/cache/* /var/log/* /var/lib/apt /var/lib/postgresql /var/lib/redis /var/lib/nginx /var/lib/ucf /var/lib/systemd \
  /var/lib/dpkg/*-old /var/lib/dpkg/alternatives /var/www /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/sub?id- \
  /run/* /tmp/* /root/.[!.]*

# Nothing in the image can raise its rights.
find / -xdev -perm /6000 -exec chmod ug-s {} +

# Open to whatever user the container is given; where that is root, the start closes the volume (app/ops/storage.py).
mkdir -p /data /run /tmp
chmod 1777 /data /run /tmp

# The tools that later parts count on are still there, and still find their libraries.
for tool in nginx redis-server redis-cli tini setpriv python3.13 openssl \
  /usr/lib/postgresql/17/bin/postgres /usr/lib/postgresql/17/bin/initdb /usr/lib/postgresql/17/bin/pg_ctl \
  /usr/lib/postgresql/17/bin/pg_dump /usr/lib/postgresql/17/bin/pg_restore /usr/lib/postgresql/17/bin/psql \
  /usr/lib/postgresql/17/bin/pg_checksums /usr/lib/postgresql/17/bin/pg_amcheck /usr/lib/postgresql/17/bin/pg_controldata; do
  path=$(command -v "$tool") || { echo "prune: $tool is gone" >&2; exit 1; }
  ! ldd "$path" 2>&1 | grep 'not found' || { echo "prune: $tool lost a library" >&2; exit 1; }
done
ln -sf /usr/lib/postgresql/17/bin/* /usr/local/bin/
rm /usr/local/bin/initdb
printf '#!/bin/sh\nexec /opt/atum/image/named /usr/lib/postgresql/17/bin/initdb "$@"\n' >/usr/local/bin/initdb
chmod +x /usr/local/bin/initdb
