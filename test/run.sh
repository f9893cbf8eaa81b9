#!/usr/bin/env bash
# Runs groups of test stages in the order given, and ends with the time of each
# stage and one line "stages: N passed, N failed".
#
#   test/run.sh lint | check | tiers | fuzz ...
#
# lint   format, vet, staticcheck, shell syntax, import rules
# check  lint, unit tests with the race detector, allocation budgets without it
# tiers  every folder of test/ that holds Go tests, each as a stage of its own
# fuzz   every fuzz target of the module, FUZZTIME each (10s unless set); a
#        crasher is written to the package's testdata/fuzz, to be committed
#
# What is missing on the machine is installed first, and said (test/setup.sh).
# Nothing is skipped: a tier that cannot run fails. The run stops at the first failed stage; KEEP_GOING=1 goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

FUZZTIME=${FUZZTIME:-10s}
KEEP_GOING=${KEEP_GOING:-}
module=$(go list -m)
passed=0 failed=0
names=() times=() results=()

report() {
	local i total=0
	printf '\n%-22s %8s  %s\n' stage seconds result
	for i in "${!names[@]}"; do
		printf '%-22s %8s  %s\n' "${names[i]}" "${times[i]}" "${results[i]}"
		total=$((total + times[i]))
	done
	printf '%-22s %8s\n\nstages: %d passed, %d failed\n' total "$total" "$passed" "$failed"
}

# stage NAME COMMAND... runs the command in a shell of its own with -e, so that
# a failing line inside a function ends the stage.
stage() {
	local name=$1 start=$SECONDS rc=0
	shift
	printf '==> %s\n' "$name"
	set +e
	(set -e; "$@")
	rc=$?
	set -e
	names+=("$name") times+=($((SECONDS - start)))
	if ((rc == 0)); then
		results+=(ok)
		passed=$((passed + 1))
		return 0
	fi
	results+=("failed ($rc)")
	failed=$((failed + 1))
	if [[ -z $KEEP_GOING ]]; then
		report
		exit 1
	fi
}

# ---- what the machine needs

as_root() {
	if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

install_compiler() { # the race detector needs a C compiler
	command -v gcc >/dev/null && return 0
	echo "installing Debian packages: gcc libc6-dev"
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null
}

install_tools() {
	if [[ ! -x .cache/bin/staticcheck || tools/go.mod -nt .cache/bin/staticcheck ]]; then
		echo "building the pinned tools of tools/go.mod into .cache/bin"
		mkdir -p .cache/bin
		go build -C tools -o ../.cache/bin/ tool
		touch .cache/bin/*
	fi
}

# ---- stages

go_packages() { go list ./... | grep -v "^$module/test/"; }

format() {
	local bad
	bad=$(git ls-files -co --exclude-standard '*.go' | xargs -r -d '\n' gofmt -l)
	[[ -z $bad ]] || { printf 'run gofmt on:\n%s\n' "$bad"; return 1; }
}

shell_syntax() {
	local f
	for f in .ci/run $(git ls-files -co --exclude-standard '*.sh'); do bash -n "$f"; done
}

unit() {
	# shellcheck disable=SC2046
	go test -race -shuffle=on -count=1 -timeout 10m $(go_packages | grep -v '/internal/archtest$')
}

# The race detector allocates, so budgets are counted in a pass without it.
allocs() {
	# shellcheck disable=SC2046
	go test -count=1 -run Allocs $(go_packages)
}

tier() {
	mkdir -p "artifacts/$1"
	go test -count=1 -timeout 20m -artifacts -outputdir "artifacts/$1" "./test/$1/..."
}

fuzz_targets() { # prints "package target" lines
	git grep --untracked -lE '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u | sed 's|^|./|' |
		xargs -r go test -list '^Fuzz' | awk '/^Fuzz/ {t[++n]=$1} /^ok/ {for (i=1; i<=n; i++) print $2, t[i]; n=0}'
}

# As many targets at a time as there are processors, one worker each.
fuzz_all() {
	local list
	mkdir -p artifacts/fuzz
	list=$(fuzz_targets)
	[[ -n $list ]] || { echo "no fuzz target was found"; return 1; }
	export FUZZTIME
	export -f fuzz_one
	xargs -P "$(nproc)" -L 1 bash -c 'fuzz_one "$@"' fuzz <<<"$list"
}

fuzz_one() { # package target
	local log=artifacts/fuzz/${1##*/}-$2.log try
	for try in 1 2; do
		if go test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" -parallel 1 "$1" >"$log" 2>&1; then
			echo "$1 $2: $(grep -o 'execs: [0-9]*' "$log" | tail -1)"
			return 0
		fi
		# On a busy machine the tool itself can miss its own deadline at the end,
		# without an input that failed. That, and nothing else, is tried again.
		grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log" || break
	done
	cat "$log"
	return 1
}

run_lint() {
	stage tools install_tools
	stage format format
	stage vet go vet ./...
	stage staticcheck .cache/bin/staticcheck ./...
	stage shell-syntax shell_syntax
	stage archtest go test -count=1 ./internal/archtest
}

run_check() {
	stage compiler install_compiler
	run_lint
	stage unit-race unit
	stage allocs allocs
}

run_tiers() {
	local dir name
	stage setup sh test/setup.sh
	for dir in test/*/; do
		name=$(basename "$dir")
		find "$dir" -name '*_test.go' -not -path '*/node_modules/*' | grep -q . || continue
		stage "test/$name" tier "$name"
	done
}

run_fuzz() {
	stage fuzz fuzz_all
}

(($#)) || set -- check tiers fuzz
for group; do
	case $group in
	lint | check | tiers | fuzz) "run_$group" ;;
	*)
		echo "test/run.sh: no group of stages is called $group; there are lint, check, tiers, fuzz" >&2
		exit 2
		;;
	esac
done
report
((failed == 0))
