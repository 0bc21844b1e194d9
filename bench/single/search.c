/*
 * search: a search tree in which random keys come and go; an operation is one insertion or one
 * removal.
 *
 * Stresses locality: each operation walks from node to node before it allocates or frees one, so it
 * pays for how far apart the allocator has put them. Nodes carry values of different lengths. The
 * pattern is that of an index or an ordered map in steady state; the tree is balanced by the
 * randomness of its keys alone.
 */
#include "common.h"

enum { SHORTEST_VALUE = 8, LONGEST_VALUE = 104, FILL_TOGGLES = 4 };

struct node {
    struct node *left;
    struct node *right;
    size_t key;
    unsigned char value[];
};

struct search {
    struct node *root;
    size_t keys; /* on average half of them are in the tree */
    uint64_t seed;
};

/* Returns the link that points to the key's node, or that would point to it. */
static struct node **search_find(struct search *search, size_t key)
{
    struct node **link = &search->root;
    while (*link && (*link)->key != key) {
        link = key < (*link)->key ? &(*link)->left : &(*link)->right;
    }
    return link;
}

static struct node *search_new_node(size_t key, uint32_t random_bits)
{
    const size_t length =
        SHORTEST_VALUE + bench_scale(random_bits, LONGEST_VALUE - SHORTEST_VALUE + 1);
    struct node *node = bench_alloc(sizeof *node + length);
    node->left = NULL;
    node->right = NULL;
    node->key = key;
    bench_touch(node->value, length);
    return node;
}

static void search_remove(struct node **link)
{
    struct node *node = *link;
    if (!node->left) {
        *link = node->right;
    } else if (!node->right) {
        *link = node->left;
    } else {
        struct node **successor = &node->right;
        while ((*successor)->left) {
            successor = &(*successor)->left;
        }
        struct node *next = *successor;
        *successor = next->right;
        next->left = node->left;
        next->right = node->right;
        *link = next;
    }
    free(node);
}

/* Takes random keys, removes those that are in the tree, and inserts the others. */
static void search_run(void *context, size_t rounds)
{
    struct search *search = context;
    for (size_t i = 0; i < rounds; i++) {
        const uint64_t draw = bench_random(&search->seed);
        const size_t key = bench_scale((uint32_t)(draw >> 32), search->keys);
        struct node **link = search_find(search, key);
        if (*link) {
            search_remove(link);
        } else {
            *link = search_new_node(key, (uint32_t)draw);
        }
    }
}

static void search_free(struct node *node)
{
    if (node) {
        search_free(node->left);
        search_free(node->right);
        free(node);
    }
}

int main(int argc, char **argv)
{
    size_t live = 10000;
    const struct bench_option options[] = {
        {"--live", "nodes in the tree, on average", NULL, &live},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (live == 0 || live > UINT32_MAX / 2) {
        bench_fail("--live out of range", "");
    }
    struct search search = {.root = NULL, .keys = 2 * live, .seed = 42};
    search_run(&search, FILL_TOGGLES * live);
    bench_measure(&bench, search_run, &search, 1);
    search_free(search.root);
    return 0;
}
