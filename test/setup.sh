#!/bin/sh
# Installs what the tests under test/ need and the machine lacks: Debian packages by apt-get, npm packages by npm ci
# from the committed lock files. Prints what it installs, changes nothing else, and ends at once when nothing is missing.
#
#   sh test/setup.sh            everything
#   sh test/setup.sh interop    the JavaScript and Python clients
#   sh test/setup.sh browser    Chromium and its driver
#   sh test/setup.sh balancers  HAProxy and nginx
#   sh test/setup.sh network    what lays networks of a test's own
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
parts=${*:-interop browser balancers network}

say() { echo "setup: $*"; }

# One run at a time: go test starts packages side by side, and apt-get and npm ci must not meet.
if [ -z "${SIOD_SETUP_LOCKED:-}" ]; then
  mkdir -p "$here/../.cache"
  SIOD_SETUP_LOCKED=1 exec flock "$here/../.cache/setup.lock" sh "$0" $parts
fi

apt() {
  missing=''
  for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  root=''
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { say "need root to install:$missing"; exit 1; }
    root='sudo -n'
  fi
  say "installing Debian packages:$missing"
  log=$(mktemp)
  # shellcheck disable=SC2086 # words are wanted
  if ! { $root apt-get update && DEBIAN_FRONTEND=noninteractive $root apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log"
    say "could not install:$missing"
    exit 1
  fi
  rm -f "$log"
}

# npm_ci FOLDER: node_modules carries the digest of what it was made from; another digest means stale.
npm_ci() {
  dir=$here/$1
  want=$(cd "$dir" && find package.json package-lock.json stub-* -type f 2>/dev/null | LC_ALL=C sort | xargs sha256sum | sha256sum)
  [ "$(cat "$dir/node_modules/.siod-made-from" 2>/dev/null || true)" = "$want" ] && return 0
  say "installing npm packages of test/$1"
  (cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  printf '%s\n' "$want" >"$dir/node_modules/.siod-made-from"
}

command -v node >/dev/null || { say 'Node.js 20 or newer is needed'; exit 1; }

for part in $parts; do
  case $part in
  interop)
    apt python3 python3-socketio python3-requests python3-websocket python3-aiohttp python3-msgpack
    npm_ci interop
    ;;
  browser)
    apt chromium fonts-dejavu-core fonts-noto-color-emoji
    npm_ci interop
    npm_ci browser
    ;;
  balancers)
    apt haproxy nginx
    ;;
  network)
    apt iproute2 util-linux mount
    ;;
  *)
    say "unknown part: $part"
    exit 1
    ;;
  esac
done
