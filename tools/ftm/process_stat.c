/*
 * Reads /proc/PID/status, /proc/PID/stat, and the latter of each thread.
 */
#include "process_stat.h"

#include "memory.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The time in user and kernel mode: the 14th and 15th fields of a stat file. */
static bool read_cpu(const char *path, char name[16], uint64_t *cpu_ns)
{
    char line[1024];
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(line, sizeof(line), file) != NULL;
    /* The second field is a name in parentheses, which may contain anything. */
    char *open = read ? strchr(line, '(') : NULL, *close = read ? strrchr(line, ')') : NULL;
    uint64_t user = 0, kernel = 0;

    if (file != NULL)
        fclose(file);
    if (open == NULL || close == NULL || close < open ||
        sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
               &user, &kernel) != 2)
        return false;
    *close = '\0';
    snprintf(name, 16, "%.15s", open + 1);
    *cpu_ns = (user + kernel) * (1000000000U / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

bool process_stat_read(int pid, struct process_stat *stat)
{
    char path[64], line[256], name[16];
    uint64_t number;
    FILE *file;

    *stat = (struct process_stat){0};
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!read_cpu(path, name, &stat->cpu_ns))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "VmRSS: %" SCNu64 " kB", &number) == 1)
            stat->resident = number << 10;
        else if (sscanf(line, "VmSwap: %" SCNu64 " kB", &number) == 1)
            stat->swapped = number << 10;
        else if (sscanf(line, "Threads: %" SCNu64, &number) == 1)
            stat->threads = (unsigned)number;
    }
    fclose(file);
    return stat->threads > 0;
}

int *process_threads(int pid, unsigned *count)
{
    char path[64];
    int *threads = NULL;
    size_t room = 0;
    DIR *folder;

    *count = 0;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    folder = opendir(path);
    if (folder == NULL)
        return NULL;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int tid = (int)strtol(entry->d_name, NULL, 10);

        if (tid <= 0)
            continue;
        threads = memory_grow(threads, &room, *count, sizeof(*threads));
        threads[(*count)++] = tid;
    }
    closedir(folder);
    return threads;
}

bool process_thread_read(int pid, int tid, char name[16], uint64_t *cpu_ns)
{
    char path[96];

    snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    return read_cpu(path, name, cpu_ns);
}

/* A thread that sleeps uninterruptibly may wait for one that vfork() made, in the same memory. */
static bool thread_rests(int pid, int tid, uint64_t *switches)
{
    char path[96], line[256], state = 'R';
    unsigned found = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof(line), file) != NULL) {
        uint64_t number;

        (void)sscanf(line, "State: %c", &state);
        if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &number) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &number) == 1) {
            *switches += number;
            found++;
        }
    }
    fclose(file);
    return found == 2 && strchr("STt", state) != NULL;
}

bool process_rests(int pid, uint64_t *switches)
{
    unsigned count;
    int *threads = process_threads(pid, &count);
    bool rest = count > 0;

    *switches = 0;
    for (unsigned i = 0; i < count && rest; i++) {
        rest = thread_rests(pid, threads[i], switches);
        /* So that a thread that came instead of another one is told from it. */
        *switches += (uint64_t)threads[i] << 40;
    }
    free(threads);
    return rest;
}
