/*
 * Collecting, sorting and looking up.
 */
#include "debug/history_index.h"

#include "os/os.h"

static void add(struct history_index *index, uint64_t key, uint64_t order,
                const struct history_place *place)
{
    if (index->count < index->room)
        index->items[index->count++] =
            (struct history_item){key, order, place->ring, place->number};
}

static bool add_call(void *context, const struct history_place *place,
                     const struct history_call *head)
{
    add(context, head->order, 0, place);
    return true;
}

/* A call that moves a chunk concerns two addresses. */
static bool add_chunks(void *context, const struct history_place *place,
                       const struct history_call *head)
{
    if (history_frees(head, head->old))
        add(context, head->old, head->began, place);
    if (head->kind != EVENT_FREE && head->pointer != 0)
        add(context, head->pointer, head->order, place);
    return true;
}

static bool below(const struct history_item *a, const struct history_item *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

/* Heap sort, because it works in place and is never slow. */
static void sift_down(struct history_item *items, size_t root, size_t end)
{
    struct history_item moving = items[root];

    for (size_t child; (child = 2 * root + 1) < end; root = child) {
        if (child + 1 < end && below(&items[child], &items[child + 1]))
            child++;
        if (!below(&moving, &items[child]))
            break;
        items[root] = items[child];
    }
    items[root] = moving;
}

static void sort(struct history_item *items, size_t count)
{
    for (size_t root = count / 2; root-- > 0;)
        sift_down(items, root, count);
    for (size_t end = count; end-- > 1;) {
        struct history_item last = items[end];

        items[end] = items[0];
        items[0] = last;
        sift_down(items, 0, end);
    }
}

static bool make(struct history_index *index, history_visit *visit, size_t per_call)
{
    *index = (struct history_index){.room = history_count() * per_call};
    if (index->room == 0)
        return true;
    index->bytes = round_up(index->room * sizeof(struct history_item), os_page_size());
    index->items = os_map(index->bytes);
    if (index->items == NULL) {
        *index = (struct history_index){.items = NULL};
        return false;
    }
    history_each_place(visit, index);
    sort(index->items, index->count);
    return true;
}

bool history_index_calls(struct history_index *index)
{
    return make(index, add_call, 1);
}

bool history_index_chunks(struct history_index *index)
{
    return make(index, add_chunks, 2);
}

void history_index_end(struct history_index *index)
{
    if (index->bytes > 0)
        os_unmap(index->items, index->bytes);
}

/* Returns the number of items whose key is at most that of the address. */
static size_t count_up_to(const struct history_index *index, uint64_t key)
{
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->items[middle].key <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool history_index_find(const struct history_index *index, uintptr_t address,
                        struct history_call *call)
{
    size_t end = count_up_to(index, address);
    const struct history_item *item = end == 0 ? NULL : &index->items[end - 1];

    return item != NULL && item->key == address && history_read(item->ring, item->number, call) &&
           history_allocates(call, address);
}
