// floor: what one delivered message costs the kernel, with nothing above it.
// One writer process, N loopback TCP connections, one epoll reader process.
//
//   floor N ROUNDS SIZE MODE [WINDOW] [PIN]
//
// MODE is write (one write(2) for each connection and message), a number k (k
// messages joined into one write), uring (256 sends a submission), uringsingle
// (single issuer, deferred task work) or uringfix (registered files). WINDOW is
// how many rounds the writer may be ahead of the reader (4). PIN 1 gives each
// process a core of its own. Prints one JSON line.
//
//   gcc -O2 -Wall -o floor floor.c -luring
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_JOINED = 64, BATCH = 256, READ_BUFFER = 1 << 18 };

// shared is what the two processes tell each other.
struct shared {
	volatile long received; // messages
	volatile long reads;    // read(2) calls, set at the end
	volatile long ready;
};

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static void pin_to(int cpu) {
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	sched_setaffinity(0, sizeof s, &s);
}

static void die(const char *what) {
	perror(what);
	exit(1);
}

// connect_pairs fills w and r with both ends of n loopback connections.
static void connect_pairs(int n, int *w, int *r) {
	int ls = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096) || getsockname(ls, (void *)&a, &len))
		die("listen");
	for (int i = 0; i < n; i++) {
		int one = 1;
		r[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (r[i] < 0 || connect(r[i], (void *)&a, sizeof a))
			die("connect");
		w[i] = accept(ls, 0, 0);
		if (w[i] < 0)
			die("accept");
		setsockopt(w[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	}
	close(ls);
}

// joined builds MAX_JOINED copies of one WebSocket text frame.
static char *joined(int size, int *len) {
	int head = size < 126 ? 2 : 4;
	*len = size + head;
	char *frames = malloc((size_t)*len * MAX_JOINED);
	if (!frames)
		die("malloc");
	for (int k = 0; k < MAX_JOINED; k++) {
		char *f = frames + k * *len;
		f[0] = (char)0x81;
		if (head == 2) {
			f[1] = (char)size;
		} else {
			f[1] = 126;
			f[2] = (char)(size >> 8);
			f[3] = (char)(size & 255);
		}
		memset(f + head, 'x', size);
	}
	return frames;
}

static void read_all(struct shared *sh, int n, const int *r, long want, int len) {
	static char buf[READ_BUFFER];
	struct epoll_event ev[512];
	long bytes = 0, reads = 0;
	int ep = epoll_create1(0);
	for (int i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = (unsigned)i};
		epoll_ctl(ep, EPOLL_CTL_ADD, r[i], &e);
	}
	sh->ready = 1;
	while (bytes < want) {
		int k = epoll_wait(ep, ev, 512, 1000);
		for (int i = 0; i < k; i++) {
			ssize_t got = read(r[ev[i].data.u32], buf, sizeof buf);
			if (got > 0) {
				bytes += got;
				reads++;
			}
		}
		sh->received = bytes / len;
	}
	sh->reads = reads;
}

// write_round writes k joined messages to every connection; it returns how many
// writes did not take everything.
static long write_round(int n, const int *w, const char *frames, int bytes) {
	long lost = 0;
	for (int i = 0; i < n; i++)
		if (write(w[i], frames, bytes) != bytes)
			lost++;
	return lost;
}

static long uring_round(struct io_uring *ring, int n, const int *w, const char *frame, int len, int fixed) {
	long lost = 0;
	for (int i = 0; i < n;) {
		int batch = 0;
		for (; i < n && batch < BATCH; i++, batch++) {
			struct io_uring_sqe *s = io_uring_get_sqe(ring);
			io_uring_prep_send(s, fixed ? i : w[i], frame, len, MSG_NOSIGNAL);
			if (fixed)
				s->flags |= IOSQE_FIXED_FILE;
		}
		io_uring_submit_and_wait(ring, batch);
		struct io_uring_cqe *c;
		unsigned head, seen = 0;
		io_uring_for_each_cqe(ring, head, c) {
			if (c->res != len)
				lost++;
			seen++;
		}
		io_uring_cq_advance(ring, seen);
	}
	return lost;
}

int main(int argc, char **argv) {
	if (argc < 5) {
		fprintf(stderr, "usage: floor N ROUNDS SIZE write|uring|uringsingle|uringfix|<messages a write> [WINDOW] [PIN]\n");
		return 2;
	}
	int n = atoi(argv[1]), rounds = atoi(argv[2]), size = atoi(argv[3]);
	const char *mode = argv[4];
	int window = argc > 5 ? atoi(argv[5]) : 4, pin = argc > 6 ? atoi(argv[6]) : 0;
	int uring = !strncmp(mode, "uring", 5), fixed = !strcmp(mode, "uringfix");
	int k = atoi(mode) > 0 ? atoi(mode) : 1;
	if (n < 1 || rounds < 1 || size < 1 || size > 65535 || k > MAX_JOINED) {
		fprintf(stderr, "floor: N, ROUNDS and SIZE are at least 1, at most 65535 bytes and %d messages a write\n", MAX_JOINED);
		return 2;
	}
	rounds = (rounds + k - 1) / k * k;

	struct rlimit rl = {2 * n + 1000, 2 * n + 1000};
	setrlimit(RLIMIT_NOFILE, &rl);
	struct shared *sh = mmap(0, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *w = malloc(n * sizeof *w), *r = malloc(n * sizeof *r), len;
	if (sh == MAP_FAILED || !w || !r)
		die("memory");
	connect_pairs(n, w, r);
	char *frames = joined(size, &len);

	pid_t reader = fork();
	if (reader < 0)
		die("fork");
	if (reader == 0) {
		if (pin)
			pin_to(1);
		for (int i = 0; i < n; i++)
			close(w[i]);
		read_all(sh, n, r, (long)n * rounds * len, len);
		_exit(0);
	}
	if (pin)
		pin_to(0);
	for (int i = 0; i < n; i++)
		close(r[i]);
	while (!sh->ready)
		usleep(1000);

	struct io_uring ring;
	if (uring) {
		struct io_uring_params p = {0};
		if (!strcmp(mode, "uringsingle"))
			p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
		if (io_uring_queue_init_params(1024, &ring, &p))
			die("io_uring");
		if (fixed && io_uring_register_files(&ring, w, n))
			die("register files");
	}

	struct rusage before, after, child;
	getrusage(RUSAGE_SELF, &before);
	double start = now();
	long lost = 0;
	for (int done = 0; done < rounds; done += k) {
		while ((long)done * n - sh->received > (long)window * n)
			usleep(50);
		lost += uring ? uring_round(&ring, n, w, frames, len, fixed) : write_round(n, w, frames, len * k);
	}
	double writing = now() - start;
	getrusage(RUSAGE_SELF, &after);
	waitpid(reader, 0, 0);
	double all = now() - start;
	getrusage(RUSAGE_CHILDREN, &child);

	double messages = (double)n * rounds;
	double user = seconds(after.ru_utime) - seconds(before.ru_utime);
	double sys = seconds(after.ru_stime) - seconds(before.ru_stime);
	double ruser = seconds(child.ru_utime), rsys = seconds(child.ru_stime);
	printf("{\"label\":\"floor\",\"test\":\"%s\",\"n\":%d,\"size\":%d,\"window\":%d,\"pin\":%d,\"msgs_per_s\":%.0f,"
	       "\"writer_us_per_msg\":%.3f,\"writer_sys_share\":%.3f,\"writer_wall_us\":%.3f,\"reader_us_per_msg\":%.3f,"
	       "\"reader_sys_share\":%.3f,\"msgs_per_read\":%.2f,\"short\":%ld}\n",
	       mode, n, size, window, pin, messages / all, (user + sys) / messages * 1e6, sys / (user + sys), writing / messages * 1e6,
	       (ruser + rsys) / messages * 1e6, rsys / (ruser + rsys), messages / sh->reads, lost);
	return lost ? 1 : 0;
}
