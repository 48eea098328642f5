#include "policy/directory.h"

#include <assert.h>

static const struct {
    const char *name;
    bool changes;
} operations[DIRECTORY_OPERATION_COUNT] = {
#define X(constant, wire, changes) [constant] = {wire, changes},
    DIRECTORY_OPERATIONS(X)
#undef X
};

const char *directory_operation_name(enum directory_operation operation)
{
    assert(operation < DIRECTORY_OPERATION_COUNT);
    return operations[operation].name;
}

bool directory_operation_changes(enum directory_operation operation)
{
    assert(operation < DIRECTORY_OPERATION_COUNT);
    return operations[operation].changes;
}
