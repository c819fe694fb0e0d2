#!/bin/sh
# Builds the addon inside a container of AlmaLinux 8 (glibc 2.28) or Alpine (musl), as root; for
# .github/workflows/prebuild.yml. LIBC is glibc or musl.
set -eu
if command -v apk >/dev/null; then
  apk add --quiet g++ make python3
else
  dnf --quiet --assumeyes module enable nodejs:22
  dnf --quiet --assumeyes install nodejs npm make python3.11 gcc-toolset-13-gcc-c++
  set +u # its script reads variables that may be unset
  # shellcheck source=/dev/null
  . /opt/rh/gcc-toolset-13/enable
  set -u
  export npm_config_python=/usr/bin/python3.11
fi
npx --no-install prebuildify --napi --strip --name daemoniker --tag-libc "$LIBC"
