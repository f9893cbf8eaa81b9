#!/usr/bin/env bash
# One sitting: our server, Node's socket.io 4.8.4 and the floor of the kernel,
# alternately, several times. Writes results.jsonl, summary.json and table.md,
# the last for docs/performance.md.
#
#   sitting.sh [-r REPEATS] [-p] [-t TESTS] [-o FOLDER] [-s SCALE]
#
#   -r  repeats; figures are medians (3)
#   -p  five alternating pairs, for a ratio that will be quoted
#   -t  tests of compare.sh ("idle idleraw storm fan1kw1 fan1k fan1kw16 echo poll")
#   -o  folder for the results (artifacts/sitting)
#   -s  length of each test (1; 0.1 for a quick look)
#   -n  Node only: a trial of the tools without our server
#
# Within a repeat every test runs on both servers in turn, and the order of the
# two changes with each repeat. Each run starts a fresh process. Ports PORT1
# (3711) and PORT2 (3712) must be free.
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=loadtest/peers/tools.sh
. "$here/tools.sh"
repeats=3 tests="idle idleraw storm fan1kw1 fan1k fan1kw16 echo poll" out=$module/artifacts/sitting scale=1 ours=1
while getopts r:pt:o:s:nh opt; do
	case $opt in
	r) repeats=$OPTARG ;;
	p) repeats=5 ;;
	t) tests=$OPTARG ;;
	o) out=$OPTARG ;;
	s) scale=$OPTARG ;;
	n) ours=0 ;;
	*)
		sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
		exit 2
		;;
	esac
done
PORT1=${PORT1:-3711} PORT2=${PORT2:-3712}
export SCALE=$scale FLOOR=1

build_tools
((ours)) && (cd "$module" && CGO_ENABLED=0 go build -trimpath -o bin/target ./loadtest/target)
node_packages
mkdir -p "$out"
results=$out/results.jsonl
facts "$repeats" "loadtest/peers/sitting.sh -r $repeats -s $scale" >"$results"

say() { tee -a "$results"; }
run_ours() {
	((ours)) || return 0
	FLOOR=0 TESTS=$1 "$here/compare.sh" ours sio4 "$PORT1" "$module/bin/target" --app bench --listen "127.0.0.1:$PORT1" | say
}
run_node() {
	FLOOR=0 TESTS=$1 PORT=$PORT2 "$here/compare.sh" node sio4 "$PORT2" node "$here/node/server.js" | say
}

rounds=$(awk -v s="$scale" 'BEGIN{v=int(200*s); print v<1?1:v}')
rc=0
for ((i = 1; i <= repeats; i++)); do
	run_floor "$rounds" | say
	for t in $tests; do
		if ((i % 2)); then
			run_ours "$t" || rc=1
			run_node "$t" || rc=1
		else
			run_node "$t" || rc=1
			run_ours "$t" || rc=1
		fi
	done
done
run_floor "$rounds" | say
"$SUMMARY" -ours ours -peer node -json "$out/summary.json" -markdown "$out/table.md" <"$results"
cat "$out/table.md"
exit $rc
