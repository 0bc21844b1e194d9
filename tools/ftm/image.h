/*
 * A copy of the parts of a source's memory that somebody asks for: read in large pieces, each once,
 * and kept, so that marking can look at any word at once. What cannot be read counts as zeros, or
 * is left out if it is long.
 */
#ifndef FTM_IMAGE_H
#define FTM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct progress;
struct source;
struct image;

/* Each piece that is read is a step of the progress, in bytes. Returns NULL without memory. */
struct image *image_open(struct source *source, struct progress *progress);
void image_close(struct image *image);

/* As `bytes` of struct mark_memory: pieces lie in the copy and live until image_close(). */
const unsigned char *image_bytes(struct image *image, uint64_t address, size_t *size);

#endif
