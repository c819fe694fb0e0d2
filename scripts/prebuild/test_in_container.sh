#!/bin/sh
# Runs tests on what in_container.sh has built, in the same kind of container; for
# .github/workflows/prebuild.yml. Those that need no privileges: .ci/run runs all of them.
set -eu
if command -v apk >/dev/null; then
  apk add --quiet g++ procps python3
else
  dnf --quiet --assumeyes module enable nodejs:22
  dnf --quiet --assumeyes install nodejs npm gcc-c++ procps-ng python3
fi
rm -rf build
# Jest has parts for one C library each.
npm ci --ignore-scripts
npm run build:ts
PREBUILDS_ONLY=1 npx --no-install jest \
  --testMatch '**/test/e2e/{delivery,deadline,coalescing,raising,restoration,workers}.test.ts'
