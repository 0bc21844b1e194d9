#include "base/modes.h"

_Atomic unsigned modes_on;
