#!/bin/bash
# Cross-node broadcast of a two-node peer cluster over a private redis-server.
#
#   cluster.sh redis|streams|centrifuge
#
# Needs redis-server, and for the first two `npm install` in node/, for the
# last a built centrifuge/server. Ends only the processes it started. Ports by
# environment: PORT1 (3711), PORT2 (3712), REDIS_PORT (6390).
set -u
kind=$1
cd "$(dirname "$0")" || exit 1
SIOBENCH=${SIOBENCH:-../../.cache/bin/siobench}
PORT1=${PORT1:-3711} PORT2=${PORT2:-3712} REDIS_PORT=${REDIS_PORT:-6390}
for p in $PORT1 $PORT2 $REDIS_PORT; do
	if (echo >"/dev/tcp/127.0.0.1/$p") 2>/dev/null; then
		echo "{\"label\":\"$kind-2nodes\",\"error\":\"port $p is taken\"}"
		exit 1
	fi
done
redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly no --daemonize no >/dev/null 2>&1 &
r=$!
sleep 0.7
if [ "$kind" = centrifuge ]; then
	proto=centrifuge
	REDIS=127.0.0.1:$REDIS_PORT centrifuge/server "127.0.0.1:$PORT1" >/dev/null 2>&1 &
	a=$!
	REDIS=127.0.0.1:$REDIS_PORT centrifuge/server "127.0.0.1:$PORT2" >/dev/null 2>&1 &
	b=$!
else
	proto=sio4
	REDIS=redis://127.0.0.1:$REDIS_PORT ADAPTER=$kind PORT=$PORT1 node node/server.js >/dev/null 2>&1 &
	a=$!
	REDIS=redis://127.0.0.1:$REDIS_PORT ADAPTER=$kind PORT=$PORT2 node node/server.js >/dev/null 2>&1 &
	b=$!
fi
trap 'kill $a $b 2>/dev/null; wait $a $b 2>/dev/null; kill $r 2>/dev/null; wait $r 2>/dev/null' EXIT
for p in $PORT1 $PORT2; do
	for _ in $(seq 100); do
		(echo >"/dev/tcp/127.0.0.1/$p") 2>/dev/null && break
		sleep 0.1
	done
done
sleep 1
s() { timeout 120 "$SIOBENCH" -proto $proto -addr "127.0.0.1:$PORT1,127.0.0.1:$PORT2" -pid "$a,$b,$r" -label "$kind-2nodes" "$@"; }
s -mode fanout -n 1000 -count 60 -warm 10 -window 4 -max 30s
s -mode fanout -n 1000 -count 50 -warm 5 -rate 10 -max 30s
s -mode fanout -n 2 -count 500 -warm 50 -rate 200 -max 20s
s -mode fanout -n 2 -count 3000 -warm 50 -window 64 -max 30s
