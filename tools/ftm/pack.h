/*
 * Files that are compressed by zstd. Without libzstd, ftm writes plain files and refuses compressed
 * ones.
 */
#ifndef FTM_PACK_H
#define FTM_PACK_H

#include <stdbool.h>
#include <stdio.h>

enum { PACK_MAGIC_SIZE = 4 };

/* Whether a file that begins with these bytes is compressed. */
bool pack_is_packed(const unsigned char magic[PACK_MAGIC_SIZE]);

/*
 * Returns a file that compresses what is written to it into the other one, which is closed with it.
 * Returns the other one itself if it cannot be compressed. To be thorough takes ten times as long
 * and makes tables a tenth smaller: it is for files without contents of chunks.
 */
FILE *pack_file(FILE *file, bool thorough);

/*
 * Decompresses a file into memory. Returns a descriptor of that memory, or -1 after one line on
 * stderr, if the file is broken or would take too much memory. Of a file that is cut off, the
 * memory has what can be read. The path is for messages.
 */
int pack_unpack(int fd, const char *path);

#endif
