#!/usr/bin/env bash
# Runs one server under the same set of siobench tests and prints one JSON line
# for each, the floor of the kernel before and after, and a summary of ratios.
# Ends only the process that it started.
#
#   compare.sh LABEL PROTO PORT COMMAND [ARG...]
#
# PROTO is siobench's -proto. COMMAND must listen on 127.0.0.1:PORT. Settings by
# environment:
#
#   TESTS   default "idle idleraw storm fan1kw1 fan1k fan1kw16 open1k echo poll fan5k"
#   IDLE_N  connections of the idle test (5000)
#   SCALE   length of each test (1; 0.1 for a quick look)
#   FLOOR   1 runs the floor before and after (default), 0 leaves it out
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=loadtest/peers/tools.sh
. "$here/tools.sh"
if (($# < 4)); then
	sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
fi
label=$1 proto=$2 port=$3
shift 3
TESTS=${TESTS:-idle idleraw storm fan1kw1 fan1k fan1kw16 open1k echo poll fan5k}
IDLE_N=${IDLE_N:-5000}
SCALE=${SCALE:-1}
FLOOR=${FLOOR:-1}
n() { awk -v a="$1" -v s="$SCALE" 'BEGIN{v=int(a*s); print v<1?1:v}'; }

build_tools || exit 1
lines=$(mktemp)
pid=
start() {
	if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
		echo "{\"label\":\"$label\",\"test\":\"$t\",\"error\":\"port $port is taken\"}"
		return 1
	fi
	"$@" >/dev/null 2>&1 &
	pid=$!
	for _ in $(seq 150); do
		(echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	echo "{\"label\":\"$label\",\"test\":\"$t\",\"error\":\"the server did not start\"}"
	stop
	return 1
}
stop() {
	[[ -n $pid ]] || return 0
	kill "$pid" 2>/dev/null
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	pid=
}
trap 'stop; rm -f "$lines"' EXIT
trap 'exit 130' INT TERM
b() { timeout 180 "$SIOBENCH" -proto "$proto" -addr "127.0.0.1:$port" -pid "$pid" -label "$label" -test "$t" "$@"; }

run_test() {
	case $t in
	idle | idleraw) b -mode idle -n "$IDLE_N" -hold 4s -max 10s ;;
	storm) b -mode storm -n 2000 -conc 64 -max 30s ;;
	fan1kw1) b -mode fanout -n 1000 -count "$(n 200)" -warm 20 -window 1 -max 30s ;;
	fan1k) b -mode fanout -n 1000 -count "$(n 400)" -warm 20 -window 4 -max 30s ;;
	fan1kw16) b -mode fanout -n 1000 -count "$(n 800)" -warm 20 -window 16 -max 30s ;;
	open1k) b -mode fanout -n 1000 -count "$(n 50)" -warm 5 -rate 10 -max 30s ;;
	fan5k) b -mode fanout -n 5000 -count "$(n 20)" -warm 4 -window 2 -max 60s ;;
	echo) b -mode echo -n 100 -count "$(n 20000)" -max 30s ;;
	poll) b -mode poll -n 50 -count "$(n 4000)" -max 30s ;;
	*)
		echo "compare.sh: there is no test $t" >&2
		return 2
		;;
	esac
}

failed=0
{
	[[ $FLOOR == 1 ]] && run_floor "$(n 200)"
	for t in $TESTS; do
		[[ $t == poll && $proto != sio4 && $proto != sio3 ]] && continue
		# What an idle session needs, and not what connecting left behind; idleraw
		# is with the collector left alone.
		if [[ $t == idle ]]; then export GCTICK=1; else unset GCTICK; fi
		start "$@" && run_test
		rc=$?
		stop
		((rc == 0)) || failed=1
	done
	[[ $FLOOR == 1 ]] && run_floor "$(n 200)"
	((failed == 0))
} | tee "$lines"
rc=${PIPESTATUS[0]}
[[ $FLOOR == 1 ]] && "$SUMMARY" -ours "$label" -peer none <"$lines"
exit "$rc"
