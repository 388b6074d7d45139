/* The load of the benchmarks: one process, one thread, epoll; each connection has one request at a time.
 *
 *   load auth SOCKET    CONNECTIONS SECONDS LINES [COUNT]   Dovecot's auth client protocol on a Unix socket
 *   load imap PORT      CONNECTIONS SECONDS LINES [COUNT]   a connection per login to 127.0.0.1: greeting, LOGIN, LOGOUT
 *   load echo SOCKET                                        a server that says OK to every AUTH: the ceiling of `auth`
 *
 * LINES is a file: for auth what follows `AUTH <id> ` (fields separated by TAB), for imap the arguments of LOGIN. Lines
 * are used in turn, over and over. With COUNT the run ends after so many answers, else after SECONDS, of which the first
 * WARM are not counted. SECONDS also bounds a run with COUNT. Prints one line of JSON: answers by kind (no = wrong
 * password, later = temporary failure, lost = the connection ended), seconds, and percentiles of the time to an answer
 * in microseconds. Exit 1: it could not connect, or the server does not speak the protocol.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, BUFFER = 32768, SAMPLES = 1 << 22 };
static const double WARM = 0.5;

enum state { GREETING, IDLE, ASKED, LEAVING };
struct connection {
    int fd;
    enum state state;
    unsigned id;
    double asked;
    size_t have;
    char in[BUFFER];
};

static struct connection connections[MOST];
static char **lines;
static size_t line_count, next_line;
static long long ok, no, later, lost, asked_all, limit;
static unsigned *samples;
static size_t sample_count;
static double from, until;
static int imap, epoll;
static const char *target;

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void put(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue; /* one small request at a time: the buffer is empty */
        if (n < 0) return;                                          /* the read side will see the end */
        text += n;
        length -= n;
    }
}

static int connected(void) {
    int fd;
    if (imap) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(target))};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (connect(fd, (struct sockaddr *)&at, sizeof at)) die(target);
    } else {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        if (strlen(target) >= sizeof at.sun_path) { errno = ENAMETOOLONG; die(target); }
        strcpy(at.sun_path, target);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at)) die(target);
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void watch(struct connection *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e)) die("epoll");
}

static void start(struct connection *c) {
    c->fd = connected();
    c->state = GREETING;
    c->have = 0;
    c->asked = now(); /* a login over IMAP begins with its connection */
    watch(c);
    if (!imap) {
        char text[64];
        put(c->fd, text, sprintf(text, "VERSION\t1\t2\nCPID\t%d\n", 1000 + (int)(c - connections)));
    }
}

static void ask(struct connection *c) {
    static char text[BUFFER];
    if (limit && asked_all >= limit) { c->state = IDLE; return; }
    const char *line = lines[next_line++ % line_count];
    asked_all++;
    c->state = ASKED;
    if (imap) {
        put(c->fd, text, snprintf(text, sizeof text, "a LOGIN %s\r\n", line));
        return;
    }
    c->asked = now();
    put(c->fd, text, snprintf(text, sizeof text, "AUTH\t%u\t%s\n", ++c->id, line));
}

static void count(struct connection *c, long long *kind) {
    double t = now();
    if (t < from || t > until) return;
    ++*kind;
    if (sample_count < SAMPLES) samples[sample_count++] = (t - c->asked) * 1e6;
}

static void auth_line(struct connection *c, char *text) {
    if (c->state == GREETING) {
        if (!strcmp(text, "DONE")) ask(c);
        return;
    }
    if (!strncmp(text, "OK\t", 3)) count(c, &ok);
    else if (!strncmp(text, "FAIL\t", 5)) count(c, strstr(text, "temp") ? &later : &no);
    else return;
    ask(c);
}

static void imap_line(struct connection *c, char *text) {
    if (c->state == GREETING) {
        if (!strncmp(text, "* OK", 4)) ask(c);
    } else if (c->state == ASKED && !strncmp(text, "a ", 2)) {
        if (!strncmp(text, "a OK", 4)) count(c, &ok);
        else count(c, strstr(text, "UNAVAILABLE") ? &later : &no);
        c->state = LEAVING;
        put(c->fd, "b LOGOUT\r\n", 10);
    }
}

static void end(struct connection *c) {
    close(c->fd);
    if (c->state == ASKED) count(c, &lost);
    if (c->state == GREETING) { errno = ECONNRESET; die("the server ended the connection before its greeting"); }
    c->state = IDLE;
    if (!limit || asked_all < limit) start(c);
}

static void ready(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->have, BUFFER - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) { end(c); return; }
    c->have += n;
    char *rest = c->in, *stop;
    while ((stop = memchr(rest, '\n', c->in + c->have - rest))) {
        *stop = 0;
        (imap ? imap_line : auth_line)(c, rest);
        rest = stop + 1;
    }
    c->have -= rest - c->in;
    memmove(c->in, rest, c->have);
    if (c->have == BUFFER) { errno = EMSGSIZE; die("a line of the server"); }
}

static void read_lines(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    if (!file) die(path);
    while ((n = getline(&text, &room, file)) > 0) {
        if (text[n - 1] == '\n') text[n - 1] = 0;
        lines = realloc(lines, (line_count + 1) * sizeof *lines);
        lines[line_count++] = strdup(text);
    }
    fclose(file);
    if (!line_count) { errno = ENODATA; die(path); }
}

static int by_size(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static unsigned percentile(double part) { return sample_count ? samples[(size_t)(part * (sample_count - 1))] : 0; }

static int load(int count_connections, double seconds) {
    struct epoll_event events[64];
    double begun = now();
    from = limit ? begun : begun + WARM;
    until = begun + seconds + (limit ? 0 : WARM);
    samples = malloc(SAMPLES * sizeof *samples);
    epoll = epoll_create1(0);
    for (int i = 0; i < count_connections; i++) start(&connections[i]);
    double t;
    while ((t = now()) < until && !(limit && ok + no + later + lost >= limit)) {
        int n = epoll_wait(epoll, events, 64, (until - t) * 1000 + 1);
        for (int i = 0; i < n; i++) ready(events[i].data.ptr);
    }
    double took = (t < until ? t : until) - from;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"ok\": %lld, \"no\": %lld, \"later\": %lld, \"lost\": %lld, \"seconds\": %.3f, "
           "\"p50\": %u, \"p99\": %u, \"most\": %u}\n",
           ok, no, later, lost, took, percentile(0.5), percentile(0.99), percentile(1.0));
    return 0;
}

static const char BANNER[] = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n";

static void echo_line(struct connection *c, char *text) {
    char answer[64];
    if (strncmp(text, "AUTH\t", 5)) return;
    put(c->fd, answer, sprintf(answer, "OK\t%u\tuser=u\n", (unsigned)strtoul(text + 5, NULL, 10)));
}

static void answer(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->have, BUFFER - c->have, 0);
    if (n <= 0) { close(c->fd); return; }
    c->have += n;
    char *rest = c->in, *stop;
    while ((stop = memchr(rest, '\n', c->in + c->have - rest))) {
        *stop = 0;
        echo_line(c, rest);
        rest = stop + 1;
    }
    c->have -= rest - c->in;
    memmove(c->in, rest, c->have);
}

static int echo(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct epoll_event events[64], e = {.events = EPOLLIN};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), used = 0;
    strncpy(at.sun_path, target, sizeof at.sun_path - 1);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 128)) die(target);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c) { answer(c); continue; }
            if (used == MOST) return 1;
            c = &connections[used++];
            c->fd = accept(listener, NULL, NULL);
            fcntl(c->fd, F_SETFL, O_NONBLOCK);
            put(c->fd, BANNER, sizeof BANNER - 1);
            watch(c);
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "echo")) { target = argv[2]; return echo(); }
    if (argc < 6 || argc > 7) { fprintf(stderr, "usage: see load.c\n"); return 2; }
    imap = !strcmp(argv[1], "imap");
    target = argv[2];
    int count_connections = atoi(argv[3]);
    if (count_connections < 1 || count_connections > MOST) { fprintf(stderr, "load: 1 to %d connections\n", MOST); return 2; }
    read_lines(argv[5]);
    limit = argc == 7 ? atoll(argv[6]) : 0;
    return load(count_connections, atof(argv[4]));
}
