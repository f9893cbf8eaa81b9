#!/usr/bin/env bash
# One sitting of two nodes: ours beside socket.io 4.8.4 with redis-adapter, and
# ours with every broadcast stored beside redis-streams-adapter, in alternating
# pairs. Writes results.jsonl and two tables for docs/performance.md.
#
#   clustersitting.sh [-r PAIRS] [-o FOLDER] [-s SCALE]
#
#   -r  pairs; figures are medians, ratios those of the pairs (5)
#   -o  folder for the results (artifacts/clustersitting)
#   -s  length of each test (1; 0.1 for a quick look)
set -eu
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=loadtest/peers/tools.sh
. "$here/tools.sh"
pairs=5 out=$module/artifacts/clustersitting scale=1
while getopts r:o:s:h opt; do
	case $opt in
	r) pairs=$OPTARG ;;
	o) out=$OPTARG ;;
	s) scale=$OPTARG ;;
	*)
		sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"
		exit 2
		;;
	esac
done
command -v redis-server >/dev/null || {
	echo "clustersitting.sh: redis-server is missing: apt-get install redis-server" >&2
	exit 1
}
export SCALE=$scale FLOOR=1
build_tools
(cd "$module" && CGO_ENABLED=0 go build -trimpath -o bin/target ./loadtest/target)
node_packages
mkdir -p "$out"
results=$out/results.jsonl
facts "$pairs" "loadtest/peers/clustersitting.sh -r $pairs -s $scale" >"$results"
say() { tee -a "$results"; }
rounds=$(awk -v s="$scale" 'BEGIN{v=int(200*s); print v<1?1:v}')
for ((i = 1; i <= pairs; i++)); do
	run_floor "$rounds" | say
	order="ours redis durable streams"
	((i % 2)) || order="redis ours streams durable"
	for kind in $order durable3; do
		"$here/cluster.sh" "$kind" | say
	done
done
run_floor "$rounds" | say
for pair in "ours redis" "durable streams" "durable3 streams"; do
	read -r ours peer <<<"$pair"
	"$SUMMARY" -ours "$ours" -peer "$peer" -json "$out/$ours.json" -markdown "$out/$ours.md" <"$results"
	cat "$out/$ours.md"
done
