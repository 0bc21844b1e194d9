/*
 * Snapshots: everything that the library knows, written to a file descriptor (docs/SNAPSHOT.md).
 */
#ifndef FT_DEBUG_DUMP_H
#define FT_DEBUG_DUMP_H

/*
 * Writes a snapshot; `flags` are those of ft_malloc_dump(). Returns 0 or an error number. Keeps
 * errno. The caller holds no lock and has entered no arena.
 */
int dump_write(int fd, unsigned flags);

/* Writes one if FT_MALLOC_DUMP asks for it at exit. */
void dump_at_exit(void);

#endif
