/*
 * A library that does all that the symbol checks forbid: it exports a name of its own, imports
 * printf and a function of libm, and has much thread-local storage. The checks must refuse it.
 */
#include <math.h>
#include <stdio.h>

double leaked_function(double angle);

static _Thread_local char plenty[4096];

double leaked_function(double angle)
{
    plenty[(int)angle & 4095]++;
    printf("%d\n", plenty[0]);
    return cos(angle);
}
