/* Preloaded into relaylite: keeps, for each file and directory, what it held at its last fsync. What was not synced is what a power
 * loss may take. See power_loss.rs, which puts it together. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* An inode's number may be given away again; with its birth it is its own. */
static int key_of(int fd, const char *name, struct statx *st, char *key, size_t size)
{
    unsigned want = STATX_INO | STATX_BTIME | STATX_TYPE;
    int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
    if (statx(fd, name, flags, want, st) != 0)
        return -1;
    long long born = st->stx_btime.tv_sec * 1000000000LL + st->stx_btime.tv_nsec;
    snprintf(key, size, "%llu-%lld", (unsigned long long)st->stx_ino, born);
    return 0;
}

static void copy_file(int fd, FILE *out)
{
    static char buffer[1 << 16];
    off_t at = 0;
    ssize_t got;
    while ((got = pread(fd, buffer, sizeof buffer, at)) > 0) {
        fwrite(buffer, 1, (size_t)got, out);
        at += got;
    }
}

/* One line an entry: d or f, its key, its name. */
static void list_directory(int fd, FILE *out)
{
    int again = openat(fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        struct statx st;
        char key[64];
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || !strcmp(entry->d_name, "..")))
            continue;
        if (key_of(fd, entry->d_name, &st, key, sizeof key) == 0)
            fprintf(out, "%c %s %s\n", S_ISDIR(st.stx_mode) ? 'd' : 'f', key, entry->d_name);
    }
    if (directory)
        closedir(directory);
}

/* Whether syncs of this file are to be lost, as if the program had forgotten them. */
static int is_ignored(int fd)
{
    const char *suffix = getenv("RELAYLITE_TEST_IGNORED_SYNCS");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = suffix ? readlink(link, path, sizeof path - 1) : -1;
    size_t tail = suffix ? strlen(suffix) : 0;
    return length >= (ssize_t)tail && tail > 0 && !strncmp(path + length - tail, suffix, tail);
}

/* What is there before the sync is durable behind it; what comes meanwhile may not be. */
static int synced(int fd, const char *function)
{
    const char *shadow = getenv("RELAYLITE_TEST_SHADOW");
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    struct statx st;
    char key[64], path[4096], temporary[4200];
    if (!shadow || is_ignored(fd) || key_of(fd, "", &st, key, sizeof key) != 0)
        return real(fd);
    pthread_mutex_lock(&one_at_a_time);
    snprintf(path, sizeof path, "%s/%s", shadow, key);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    FILE *out = fopen(temporary, "w");
    if (!out)
        abort();
    if (S_ISDIR(st.stx_mode))
        list_directory(fd, out);
    else
        copy_file(fd, out);
    fclose(out);
    int result = real(fd);
    if (result == 0)
        rename(temporary, path);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
