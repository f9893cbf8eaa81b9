#!/usr/bin/env bash
# Three nodes of siod with the chat of "siod dev", behind HAProxy, round robin
# without sticky sessions, until control-C. The root of the checkout is where it
# looks for the source.
#
#   examples/cluster/run.sh          the chat is at http://127.0.0.1:3000/
#   BASE=4000 examples/cluster/run.sh   with other ports, from 4000 to 4032
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

BASE=${BASE:-3000}
command -v haproxy >/dev/null || PATH=$PATH:/usr/sbin
command -v haproxy >/dev/null || sh test/setup.sh balancers

dir=$(mktemp -d)
pids=()
# The children get control-C as well; a kill of this script alone reaches them here.
end() {
	trap - EXIT INT TERM
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$dir"
	echo "cluster: stopped"
}
trap end EXIT
trap 'exit 0' INT TERM

go build -o "$dir/siod" ./cmd/siod
head -c 32 /dev/urandom | base64 >"$dir/secret"
export SIOD_CLUSTER_SECRET_FILE=$dir/secret SIOD_LOG_LEVEL=warn BALANCER=$BASE

n=1
for name in a b c; do
	port=$((BASE + 10 * n))
	"$dir/siod" dev --node-name $name --listen 127.0.0.1:$port --internal-listen 127.0.0.1:$((port + 1)) \
		--gossip-listen 127.0.0.1:$((port + 2)) --join 127.0.0.1:$((BASE + 12)),127.0.0.1:$((BASE + 22)),127.0.0.1:$((BASE + 32)) \
		--store --store-expect 3 --store-dir "$dir/$name" --trusted-proxies 127.0.0.1 >"$dir/$name.log" 2>&1 &
	pids+=($!)
	export "${name^}=$port" "${name^}_INTERNAL=$((port + 1))"
	n=$((n + 1))
done

# They wait for each other, so all are ready at about the same time.
for port in "$A_INTERNAL" "$B_INTERNAL" "$C_INTERNAL"; do
	until "$dir/siod" nodes --internal-listen "127.0.0.1:$port" >"$dir/nodes" 2>/dev/null; do
		for pid in "${pids[@]}"; do
			kill -0 "$pid" 2>/dev/null || { tail -n 3 "$dir"/?.log; exit 1; }
		done
		sleep 0.2
	done
done
haproxy -db -f examples/cluster/haproxy.cfg 2>"$dir/haproxy.log" &
pids+=($!)
until (exec 3<>"/dev/tcp/127.0.0.1/$BASE") 2>/dev/null; do
	kill -0 "${pids[3]}" 2>/dev/null || { cat "$dir/haproxy.log"; exit 1; }
	sleep 0.1
done

cat "$dir/nodes"
cat <<TEXT

cluster: the chat is at http://127.0.0.1:$BASE/, open it in two windows
cluster: nodes a, b, c are processes ${pids[*]:0:3}: kill one, and see what the others do
cluster: "siod nodes --internal-listen 127.0.0.1:$A_INTERNAL" lists them
TEXT
wait
