#!/usr/bin/env bash
# Runs every benchmark COUNT times into artifacts/bench.txt. With a base
# revision, runs that one as well, from a work tree of its own, and prints the
# comparison.
#
#   test/bench.sh COUNT [BASE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
count=$1 base=${2:-}
mkdir -p artifacts .cache/bin

bench() { (cd "$1" && go test -run '^$' -bench . -benchmem -count "$count" ./...); }

if [[ -n $base ]]; then
	tree=.cache/bench-base
	git worktree remove --force "$tree" 2>/dev/null || true
	git worktree add --detach "$tree" "$base" >/dev/null
	trap 'git worktree remove --force "$tree"' EXIT
	bench "$tree" | tee artifacts/bench-base.txt
fi
bench . | tee artifacts/bench.txt
if [[ -n $base ]]; then
	[[ -x .cache/bin/benchstat ]] || go build -C tools -o ../.cache/bin/ tool
	.cache/bin/benchstat artifacts/bench-base.txt artifacts/bench.txt
fi
