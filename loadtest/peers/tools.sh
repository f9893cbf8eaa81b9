# Builds what compare.sh and sitting.sh run, into .cache/bin, and runs the
# floor. Sourced by both; `here` is this folder.
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

# run_floor ROUNDS: one message a write with one round in flight, then 4 and 16
# messages joined.
run_floor() {
	"$bin/floor" 1000 "$1" 128 write 1
	"$bin/floor" 1000 "$1" 128 4 4
	"$bin/floor" 1000 "$(($1 * 2))" 128 16 16
}
