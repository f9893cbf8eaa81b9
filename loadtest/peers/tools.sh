# Builds what compare.sh and the sittings run, into .cache/bin, runs the floor,
# and says on which machine. Sourced by them; `here` is this folder.
module=$(cd "$here/../.." && pwd)
bin=$module/.cache/bin
SIOBENCH=${SIOBENCH:-$bin/siobench}
SUMMARY=${SUMMARY:-$bin/summary}

build_tools() {
	mkdir -p "$bin"
	(cd "$module" && CGO_ENABLED=0 go build -o "$bin/" ./loadtest/siobench ./loadtest/summary) || return 1
	[[ ${FLOOR:-1} == 1 ]] || return 0
	[[ $bin/floor -nt $here/floor/floor.c ]] && return 0
	if ! gcc -O2 -Wall -o "$bin/floor" "$here/floor/floor.c" -luring; then
		echo "the floor does not build: install gcc and liburing-dev, or set FLOOR=0" >&2
		return 1
	fi
}

# node_packages installs what the peers on Node need.
node_packages() {
	[[ -d $here/node/node_modules ]] && return 0
	echo "installing npm packages of loadtest/peers/node" >&2
	npm ci --prefix "$here/node" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
}

# run_floor ROUNDS: one message a write with one round in flight, then 4 and 16
# messages joined.
run_floor() {
	"$bin/floor" 1000 "$1" 128 write 1
	"$bin/floor" 1000 "$1" 128 4 4
	"$bin/floor" 1000 "$(($1 * 2))" 128 16 16
}

# facts REPEATS COMMAND: the line of a sitting that says where and when it was.
facts() {
	printf '{"label":"machine","test":"facts","cpu":"%s","cores":%d,"kernel":"%s","go":"%s","node":"%s","commit":"%s","date":"%s","load":"%s","repeats":%d,"command":"%s"}\n' \
		"$(cpu_field '^model name')" "$(nproc)" "$(uname -r)" "$(go env GOVERSION)" "$(node --version)" \
		"$(git -C "$module" rev-parse --short HEAD)" "$(date -u +%F)" "$(cut -d' ' -f1-3 /proc/loadavg)" "$1" "$2"
}
cpu_field() { awk -F ': ' -v k="$1" '$1 ~ k {print $2; exit}' /proc/cpuinfo; }
