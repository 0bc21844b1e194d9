/*
 * tree: builds binary trees and tears them down; an operation is one node, allocated and freed.
 *
 * Stresses bursts of one small size and frees in another order than that of the allocations, while
 * a large tree lives on. The pattern is that of binary-trees of the "computer language benchmarks
 * game", which goes back to Hans Boehm's GCBench: a tree that stretches the memory, a long-lived
 * one, and many short-lived ones of each depth, with the same number of nodes for each depth.
 */
#include "common.h"

enum { SHALLOWEST = 4, DEPTH_STEP = 2, DEEPEST = 24 };

struct node {
    struct node *left;
    struct node *right;
};

static struct node *tree_build(size_t depth)
{
    struct node *node = bench_alloc(sizeof *node);
    node->left = depth ? tree_build(depth - 1) : NULL;
    node->right = depth ? tree_build(depth - 1) : NULL;
    return node;
}

static size_t tree_count(const struct node *node)
{
    return node ? 1 + tree_count(node->left) + tree_count(node->right) : 0;
}

static void tree_free(struct node *node)
{
    if (node) {
        tree_free(node->left);
        tree_free(node->right);
        free(node);
    }
}

static size_t tree_use(size_t depth)
{
    struct node *root = tree_build(depth);
    const size_t count = tree_count(root);
    tree_free(root);
    return count;
}

static size_t tree_nodes(size_t depth)
{
    return ((size_t)2 << depth) - 1;
}

/* Returns how many trees of that depth are built, which doubles with each level less. */
static size_t tree_repeats(size_t depth, size_t deepest)
{
    return (size_t)1 << (deepest - depth + SHALLOWEST);
}

static size_t tree_expected(size_t deepest)
{
    size_t nodes = tree_nodes(deepest + 1) + tree_nodes(deepest);
    for (size_t depth = SHALLOWEST; depth <= deepest; depth += DEPTH_STEP) {
        nodes += tree_repeats(depth, deepest) * tree_nodes(depth);
    }
    return nodes;
}

static void tree_run(void *context, size_t rounds)
{
    const size_t deepest = *(const size_t *)context;
    for (size_t round = 0; round < rounds; round++) {
        size_t nodes = tree_use(deepest + 1);
        struct node *long_lived = tree_build(deepest);
        for (size_t depth = SHALLOWEST; depth <= deepest; depth += DEPTH_STEP) {
            for (size_t i = tree_repeats(depth, deepest); i > 0; i--) {
                nodes += tree_use(depth);
            }
        }
        nodes += tree_count(long_lived);
        tree_free(long_lived);
        if (nodes != tree_expected(deepest)) {
            bench_fail("a tree lost nodes", "");
        }
    }
}

int main(int argc, char **argv)
{
    size_t deepest = 14;
    const struct bench_option options[] = {
        {"--depth", "levels of the long-lived tree below its root", NULL, &deepest},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (deepest < SHALLOWEST || deepest > DEEPEST) {
        bench_fail("--depth out of range", "");
    }
    bench_measure(&bench, tree_run, &deepest, tree_expected(deepest));
    return 0;
}
