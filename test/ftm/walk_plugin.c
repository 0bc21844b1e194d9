/* A module whose frame has a size of its own, in the same place as that of the other one. */
void walk_plugin(void (*call)(void));

void walk_plugin(void (*call)(void))
{
    volatile char room[WALK_ROOM];

    /* With the other one's rule the walk would find zero here, and end. */
    for (unsigned n = 0; n < sizeof room; n++)
        room[n] = 0;
    call();
    room[1] = room[0];
}
