#!/bin/sh
# Installs what the desk is made of from Debian, then removes what it will never run. The result is copied as one layer,
# so whatever is deleted here is really gone.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# Debian's own image empties the download cache after every call, which a build cache mount is there to keep.
rm -f /etc/apt/apt.conf.d/docker-clean
# No cluster at build time: the volume gets its own at first boot.
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d

apt-get update -qq
apt-get upgrade -qq -y
apt-get install -qq -y --no-install-recommends \
  ca-certificates libnss-wrapper nginx postgresql-17 python3.13 redis-server tini
rm -f /usr/sbin/policy-rc.d
