/*
 * Cases of one thread: who points to what.
 */
#include "leak_case.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct node *next, *other;
    char rest[];
};

static void *volatile global;
static void *volatile globals[16];
static void *volatile initialized[] = {(void *)&global, NULL};

static APART struct node *node(size_t size, struct node *next)
{
    struct node *made = make(size);

    made->next = next;
    return made;
}

/* Builds a list of this many nodes, each of this size. */
static APART struct node *list(unsigned length, size_t size)
{
    struct node *head = NULL;

    while (length-- > 0)
        head = node(size, head);
    return head;
}

static APART void drop(size_t size)
{
    keep(make(size));
}

static void nothing_points_to_it(void)
{
    drop(57);
    drop(57);
    drop(1303);
    expect("definite", 57, 2);
    expect("definite", 1303, 1);
    checkpoint();
}

static void a_global_points_to_it(void)
{
    global = make(57);
    initialized[1] = make(203);
    expect("reachable", 57, 1);
    expect("reachable", 203, 1);
    checkpoint();
}

static void the_stack_points_to_it(void)
{
    void *volatile held = make(57);

    expect("reachable", 57, 1);
    checkpoint();
    keep(held);
}

static void a_global_points_inside(void)
{
    globals[0] = (char *)make(203) + 1;
    globals[1] = (char *)make(307) + 300;
    expect("possible", 203, 1);
    expect("possible", 307, 1);
    checkpoint();
}

static void a_global_points_behind_it(void)
{
    globals[0] = (char *)make(208) + 208;
    expect("definite", 208, 1);
    checkpoint();
}

static void a_list_is_held(void)
{
    global = list(10, 57);
    expect("reachable", 57, 10);
    checkpoint();
}

static APART void lose_list(void)
{
    keep(list(10, 57));
    keep(node(203, list(1, 105)));
}

static void a_list_is_lost(void)
{
    lose_list();
    expect("definite", 57, 1);
    expect("indirect", 57, 9);
    expect("definite", 203, 1);
    expect("indirect", 105, 1);
    checkpoint();
}

static APART void lose_rest(void)
{
    struct node *head = list(10, 57);

    head->next->next->next = NULL;
    global = head;
}

static void the_rest_of_a_list_is_lost(void)
{
    lose_rest();
    expect("reachable", 57, 3);
    expect("definite", 57, 1);
    expect("indirect", 57, 6);
    checkpoint();
}

static APART void lose_ring(void)
{
    struct node *last = node(57, NULL), *ring = last;

    for (unsigned i = 0; i < 4; i++)
        ring = node(57, ring);
    last->next = ring;
}

static void a_ring_is_lost(void)
{
    lose_ring();
    expect("definite", 57, 1);
    expect("indirect", 57, 4);
    checkpoint();
}

static APART void lose_self(void)
{
    struct node *self = node(57, NULL);

    self->next = self;
}

static void a_chunk_points_to_itself(void)
{
    lose_self();
    expect("definite", 57, 1);
    checkpoint();
}

static APART struct node *tree(unsigned depth, size_t size)
{
    struct node *made = node(size, depth == 0 ? NULL : tree(depth - 1, size));

    made->other = depth == 0 ? NULL : tree(depth - 1, size);
    return made;
}

static APART void lose_tree(void)
{
    keep(tree(4, 57));
}

static void a_tree_is_lost(void)
{
    lose_tree();
    expect("definite", 57, 1);
    expect("indirect", 57, 30);
    checkpoint();
}

static void a_tree_is_held(void)
{
    global = tree(4, 57);
    expect("reachable", 57, 31);
    checkpoint();
}

static APART void lose_two_heads(void)
{
    struct node *shared = node(57, NULL);

    keep(node(203, shared));
    keep(node(105, shared));
}

static void two_lost_heads_share_a_tail(void)
{
    lose_two_heads();
    expect("definite", 203, 1);
    expect("definite", 105, 1);
    expect("indirect", 57, 1);
    checkpoint();
}

static void what_is_behind_a_pointer_inside(void)
{
    global = &node(203, node(57, NULL))->rest;
    expect("possible", 203, 1);
    expect("possible", 57, 1);
    checkpoint();
}

static void a_pointer_inside_and_another_to_the_start(void)
{
    struct node *held = node(203, node(57, NULL));

    globals[0] = held->rest;
    globals[1] = held;
    expect("reachable", 203, 1);
    expect("reachable", 57, 1);
    checkpoint();
}

static void a_held_chunk_points_inside_another(void)
{
    struct node *inner = node(203, NULL);

    global = node(57, (struct node *)(void *)inner->rest);
    inner = NULL;
    expect("reachable", 57, 1);
    expect("possible", 203, 1);
    checkpoint();
}

static APART void store_unaligned(void)
{
    static char packed[64];
    void *made = make(203);

    memcpy(packed + 3, &made, sizeof made);
    keep(packed);
}

static void a_pointer_at_an_odd_address(void)
{
    store_unaligned();
    expect("definite", 203, 1);
    checkpoint();
}

static APART void store_masked(void)
{
    static uintptr_t masked;

    masked = ~(uintptr_t)make(203);
    keep(&masked);
}

static void a_pointer_in_disguise(void)
{
    store_masked();
    expect("definite", 203, 1);
    checkpoint();
}

static APART void free_holder(void)
{
    struct node *holder = node(1303, node(203, NULL));

    holder->other = make(105);
    free(holder);
}

static void a_freed_chunk_points_to_it(void)
{
    free_holder();
    expect("definite", 203, 1);
    expect("definite", 105, 1);
    checkpoint();
}

static void an_array_of_pointers(void)
{
    void **array = make(808);

    for (unsigned i = 0; i < 101; i++)
        array[i] = make(57);
    global = array;
    expect("reachable", 808, 1);
    expect("reachable", 57, 101);
    checkpoint();
}

static void nothing_was_asked_for(void)
{
    globals[0] = malloc(0);
    globals[1] = make(57);
    expect("reachable", 0, 1);
    expect("reachable", 57, 1);
    checkpoint();
}

static APART void grow_holder(void)
{
    void **holder = make(57);
    void **before = holder;

    holder[0] = make(105);
    holder = realloc(holder, 20011);
    keep(before);
    global = holder;
}

static void a_chunk_that_was_grown(void)
{
    grow_holder();
    expect("reachable", 20011, 1);
    expect("reachable", 105, 1);
    checkpoint();
}

static APART void store_length(void)
{
    uint64_t *made = make(8 + 203);

    made[0] = 203;
    global = made + 1;
}

static void a_length_in_front_of_it(void)
{
    store_length();
    expect("reachable", 8 + 203, 1);
    checkpoint();
}

const struct leak_case leak_cases_c[] = {
    {"nothing_points_to_it", nothing_points_to_it},
    {"a_global_points_to_it", a_global_points_to_it},
    {"the_stack_points_to_it", the_stack_points_to_it},
    {"a_global_points_inside", a_global_points_inside},
    {"a_global_points_behind_it", a_global_points_behind_it},
    {"a_list_is_held", a_list_is_held},
    {"a_list_is_lost", a_list_is_lost},
    {"the_rest_of_a_list_is_lost", the_rest_of_a_list_is_lost},
    {"a_ring_is_lost", a_ring_is_lost},
    {"a_chunk_points_to_itself", a_chunk_points_to_itself},
    {"a_tree_is_lost", a_tree_is_lost},
    {"a_tree_is_held", a_tree_is_held},
    {"two_lost_heads_share_a_tail", two_lost_heads_share_a_tail},
    {"what_is_behind_a_pointer_inside", what_is_behind_a_pointer_inside},
    {"a_pointer_inside_and_another_to_the_start", a_pointer_inside_and_another_to_the_start},
    {"a_held_chunk_points_inside_another", a_held_chunk_points_inside_another},
    {"a_pointer_at_an_odd_address", a_pointer_at_an_odd_address},
    {"a_pointer_in_disguise", a_pointer_in_disguise},
    {"a_freed_chunk_points_to_it", a_freed_chunk_points_to_it},
    {"an_array_of_pointers", an_array_of_pointers},
    {"nothing_was_asked_for", nothing_was_asked_for},
    {"a_chunk_that_was_grown", a_chunk_that_was_grown},
    {"a_length_in_front_of_it", a_length_in_front_of_it},
    {NULL, NULL},
};
