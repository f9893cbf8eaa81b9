#!/bin/bash
# Cross-node broadcast of two nodes: of ours, with NATS inside them, or of a
# peer's over a private redis-server. Prints one JSON line for each test.
#
#   cluster.sh ours|durable|durable3|redis|streams|centrifuge
#
# "durable" is ours with connection state recovery: every broadcast goes through
# the log, which the first node stores in memory; with "durable3" that node, the
# other one and a third do, on disk. SCALE is the length of each test (1; 0.1
# for a quick look).
#
# Needs bin/target (`make build`), or redis-server and for "redis" and "streams"
# `npm install` in node/, for "centrifuge" a built centrifuge/server. Ends only
# the processes it started. Ports by environment: PORT1 (3711), PORT2 (3712),
# REDIS_PORT (6390); ours takes those 20 and 40 above the first two as well.
set -u
kind=$1
cd "$(dirname "$0")" || exit 1
SIOBENCH=${SIOBENCH:-../../.cache/bin/siobench}
PORT1=${PORT1:-3711} PORT2=${PORT2:-3712} REDIS_PORT=${REDIS_PORT:-6390}
TARGET=${TARGET:-../../bin/target}
own=
[[ $kind = ours || $kind = durable* ]] && own=1
SCALE=${SCALE:-1}
tests=fast # the group
[[ $kind = durable* || $kind = streams ]] && tests=stored
PORT3=$((PORT2 + 1))
if [[ $own ]]; then
	ports=$(for p in "$PORT1" "$PORT2" "$PORT3"; do echo "$p $((p + 20)) $((p + 40))"; done)
else
	ports="$PORT1 $PORT2 $REDIS_PORT"
fi
for p in $ports; do
	if (echo >"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
		echo "{\"label\":\"$kind\",\"test\":\"ports\",\"error\":\"port $p is taken\"}"
		exit 1
	fi
done
dir=$(mktemp -d)
a='' b='' c='' r=''
trap 'kill $a $b $c $r 2>/dev/null; wait; rm -rf "$dir"' EXIT
if [[ ! $own ]]; then
	redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --daemonize no >/dev/null 2>&1 &
	r=$!
fi
sleep 0.7
if [[ $own ]]; then
	proto=sio4
	head -c 32 /dev/urandom | base64 >"$dir/secret"
	export SIOD_CLUSTER_SECRET_FILE=$dir/secret SIOD_LOG_LEVEL=warn
	start() { # PORT FLAG...
		local port=$1
		shift
		[[ $kind = durable ]] && set -- --recovery --store-expect 1 "$@"
		[[ $kind = durable3 ]] && set -- --recovery --store-expect 3 --store --store-dir "$dir/$port" "$@"
		"$TARGET" --app bench --listen "127.0.0.1:$port" --internal-listen "127.0.0.1:$((port + 40))" \
			--gossip-listen "127.0.0.1:$((port + 20))" --join "127.0.0.1:$((PORT1 + 20)),127.0.0.1:$((PORT2 + 20))" \
			"$@" >"$dir/$port.log" 2>&1 &
	}
	start "$PORT1" --node-name a $([[ $kind = durable ]] && echo --store)
	a=$!
	start "$PORT2" --node-name b
	b=$!
	if [[ $kind = durable3 ]]; then
		start "$PORT3" --node-name c
		c=$!
	fi
elif [ "$kind" = centrifuge ]; then
	proto=centrifuge
	REDIS=127.0.0.1:$REDIS_PORT centrifuge/server "127.0.0.1:$PORT1" >/dev/null 2>&1 &
	a=$!
	REDIS=127.0.0.1:$REDIS_PORT centrifuge/server "127.0.0.1:$PORT2" >/dev/null 2>&1 &
	b=$!
else
	proto=sio4
	[[ $kind = streams ]] && csr=1 # so that both offer recovery
	CSR=${csr:-} REDIS=redis://127.0.0.1:$REDIS_PORT ADAPTER=$kind PORT=$PORT1 node node/server.js >/dev/null 2>&1 &
	a=$!
	CSR=${csr:-} REDIS=redis://127.0.0.1:$REDIS_PORT ADAPTER=$kind PORT=$PORT2 node node/server.js >/dev/null 2>&1 &
	b=$!
fi
for p in $PORT1 $PORT2; do
	for _ in $(seq 100); do
		(echo >"/dev/tcp/127.0.0.1/$p") 2>/dev/null && break
		sleep 0.1
	done
done
sleep 1
s() { timeout 120 "$SIOBENCH" -proto $proto -addr "127.0.0.1:$PORT1,127.0.0.1:$PORT2" -pid "$a,$b${c:+,$c}${r:+,$r}" -label "$kind" "$@"; }
n() { awk -v a="$1" -v s="$SCALE" 'BEGIN{v=int(a*s); print v<1?1:v}'; }
s -test ${tests}1k -mode fanout -n 1000 -count "$(n 200)" -warm 20 -window 4 -max 60s
s -test ${tests}open -mode fanout -n 1000 -count "$(n 50)" -warm 5 -rate 10 -max 30s
s -test ${tests}lat -mode fanout -n 2 -count "$(n 1000)" -warm 50 -rate 200 -max 20s
# Each of several seconds, or what else the machine does decides.
burst=60000
[[ $tests = stored ]] && burst=10000
s -test ${tests}bus -mode fanout -n 2 -count "$(n $burst)" -warm 2000 -window 64 -max 60s
