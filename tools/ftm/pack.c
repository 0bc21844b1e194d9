/*
 * zstd, as streams: neither side has the whole file in buffers.
 */
#include "pack.h"

#include "command.h"
#include "memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool pack_is_packed(const unsigned char magic[PACK_MAGIC_SIZE])
{
    static const unsigned char zstd[PACK_MAGIC_SIZE] = {0x28, 0xb5, 0x2f, 0xfd};

    return memcmp(magic, zstd, sizeof zstd) == 0;
}

#ifdef FTM_HAS_ZSTD
#include <zstd.h>

enum {
    BLOCK = 128 << 10,
    LEVEL = 9,
    THOROUGH = 15,
    /* Both sides hold a window of this size, so files of others with a larger one are refused. */
    WINDOW_LOG = 23,
    /* zstd finds more in a small file if it knows the size before. */
    KEPT = 4 << 20
};

struct packer {
    FILE *file;
    ZSTD_CCtx *stream;
    char *kept; /* KEPT bytes; NULL: they are not kept, or no longer */
    size_t kept_size;
    char block[BLOCK];
};

/* Compresses the input, and with ZSTD_e_end also writes what zstd has kept back. */
static bool pack(struct packer *packer, ZSTD_inBuffer *in, ZSTD_EndDirective how)
{
    size_t left;

    do {
        ZSTD_outBuffer out = {packer->block, BLOCK, 0};

        left = ZSTD_compressStream2(packer->stream, &out, in, how);
        if (ZSTD_isError(left)) {
            errno = EIO;
            return false;
        }
        if (fwrite(packer->block, 1, out.pos, packer->file) != out.pos)
            return false;
    } while (in->pos < in->size || (how == ZSTD_e_end && left > 0));
    return true;
}

static bool pack_kept(struct packer *packer, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {packer->kept, packer->kept_size, 0};
    bool packed = pack(packer, &in, how);

    free(packer->kept);
    packer->kept = NULL;
    return packed;
}

static ssize_t pack_write(void *context, const char *bytes, size_t size)
{
    struct packer *packer = context;
    ZSTD_inBuffer in = {bytes, size, 0};

    if (packer->kept != NULL && size <= KEPT - packer->kept_size) {
        memcpy(packer->kept + packer->kept_size, bytes, size);
        packer->kept_size += size;
        return (ssize_t)size;
    }
    if (packer->kept != NULL && !pack_kept(packer, ZSTD_e_continue))
        return 0;
    return pack(packer, &in, ZSTD_e_continue) ? (ssize_t)size : 0;
}

static bool pack_rest(struct packer *packer)
{
    ZSTD_inBuffer in = {NULL, 0, 0};

    if (packer->kept == NULL)
        return pack(packer, &in, ZSTD_e_end);
    (void)ZSTD_CCtx_setPledgedSrcSize(packer->stream, packer->kept_size);
    return pack_kept(packer, ZSTD_e_end);
}

static int pack_close(void *context)
{
    struct packer *packer = context;
    bool complete = pack_rest(packer);
    int error = errno;

    if (fclose(packer->file) != 0) {
        error = complete ? errno : error;
        complete = false;
    }
    (void)ZSTD_freeCCtx(packer->stream);
    free(packer);
    errno = error;
    return complete ? 0 : EOF;
}

static bool set_up(ZSTD_CCtx *stream, int level)
{
    return stream != NULL &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, WINDOW_LOG)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1));
}

FILE *pack_file(FILE *file, bool thorough)
{
    static const cookie_io_functions_t functions = {.write = pack_write, .close = pack_close};
    struct packer *packer = memory_new(1, sizeof *packer);
    FILE *packed = NULL;

    packer->file = file;
    packer->stream = ZSTD_createCCtx();
    packer->kept = thorough ? memory_new(1, KEPT) : NULL;
    if (set_up(packer->stream, thorough ? THOROUGH : LEVEL))
        packed = fopencookie(packer, "w", functions);
    if (packed != NULL)
        return packed;
    (void)ZSTD_freeCCtx(packer->stream);
    free(packer->kept);
    free(packer);
    return file;
}

/*
 * How large the plain file may be. zstd can make 32 KiB of each byte, so a small file could fill
 * the memory of the machine; records of an allocator become at most some hundred times smaller.
 */
static uint64_t largest(int fd)
{
    enum { RATIO = 1000 };
    uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    uint64_t expected = UINT64_C(256) << 20;
    struct stat status;

    if (fstat(fd, &status) == 0 && (uint64_t)status.st_size < memory)
        expected += RATIO * (uint64_t)status.st_size;
    return expected < memory ? expected : memory;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);

        if (done < 0 && errno != EINTR)
            return false;
        bytes += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

struct unpacker {
    int fd, out;
    ZSTD_DCtx *stream;
    char *block, *plain; /* BLOCK bytes each */
    uint64_t bound, size;
    const char *path;
};

/* Returns false after a line. Sets *ended at the end of the compressed data. */
static bool unpack_block(struct unpacker *unpacker, size_t got, bool *ended)
{
    ZSTD_inBuffer in = {unpacker->block, got, 0};
    ZSTD_outBuffer out;

    do {
        size_t left;

        out = (ZSTD_outBuffer){unpacker->plain, BLOCK, 0};
        left = ZSTD_decompressStream(unpacker->stream, &out, &in);
        if (ZSTD_isError(left)) {
            say("%s is broken: it cannot be decompressed (%s)", unpacker->path,
                ZSTD_getErrorName(left));
            return false;
        }
        unpacker->size += out.pos;
        if (unpacker->size > unpacker->bound) {
            say("%s needs more than %llu MiB when it is decompressed; if you trust it, read what "
                "`zstd -dc` makes of it",
                unpacker->path, (unsigned long long)(unpacker->bound >> 20));
            return false;
        }
        if (!write_all(unpacker->out, unpacker->plain, out.pos)) {
            say_error(errno, "cannot decompress %s", unpacker->path);
            return false;
        }
        *ended = left == 0;
        /* A full block may not be all that zstd has for us. */
    } while (!*ended && (in.pos < in.size || out.pos == BLOCK));
    return true;
}

static bool unpack_all(struct unpacker *unpacker)
{
    bool ended = false;
    off_t at = 0;

    while (!ended) {
        ssize_t got = pread(unpacker->fd, unpacker->block, BLOCK, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            say_error(errno, "cannot read %s", unpacker->path);
        if (got == 0 && unpacker->size == 0)
            say("%s is cut off: it has nothing that could be decompressed", unpacker->path);
        if (got <= 0)
            return got == 0 && unpacker->size > 0;
        at += got;
        if (!unpack_block(unpacker, (size_t)got, &ended))
            return false;
    }
    return true;
}

int pack_unpack(int fd, const char *path)
{
    struct unpacker unpacker = {.fd = fd, .bound = largest(fd), .path = path};
    bool complete = false;

    unpacker.out = memfd_create("ftm", MFD_CLOEXEC);
    unpacker.stream = ZSTD_createDCtx();
    unpacker.block = memory_new(2, BLOCK);
    unpacker.plain = unpacker.block + BLOCK;
    if (unpacker.out < 0 || unpacker.stream == NULL)
        say_error(unpacker.out < 0 ? errno : ENOMEM, "cannot decompress %s", path);
    else if (!ZSTD_isError(
                 ZSTD_DCtx_setParameter(unpacker.stream, ZSTD_d_windowLogMax, WINDOW_LOG)))
        complete = unpack_all(&unpacker);
    (void)ZSTD_freeDCtx(unpacker.stream);
    free(unpacker.block);
    if (complete)
        return unpacker.out;
    if (unpacker.out >= 0)
        (void)close(unpacker.out);
    return -1;
}

#else

FILE *pack_file(FILE *file, bool thorough)
{
    (void)thorough;
    return file;
}

int pack_unpack(int fd, const char *path)
{
    (void)fd;
    say("%s is compressed, and this ftm was built without libzstd; read what `zstd -dc` makes of "
        "it",
        path);
    return -1;
}

#endif
