// Counts heap allocations of the whole process, and says which module asked for them.
//
// An executable that links this defines malloc and its kin in front of the C library's, and so for every library
// that it loads. Linux with glibc only; elsewhere nothing is counted.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

// The most return addresses that are kept of one place.
#define ALLOCATION_DEPTH 12

// A place that allocates.
struct allocation_site {
  uint64_t count;
  uint64_t bytes;
  // The number of the loaded object that asked, for `allocation_module_name`.
  int32_t module;
  // How many addresses there are; the first lies in the module.
  int32_t depth;
  uintptr_t addresses[ALLOCATION_DEPTH];
};

// Whether allocations can be counted here.
bool allocation_counting_works(void);

// All allocations of the calling thread since it began.
uint64_t allocation_count_of_thread(void);

// Begins to note where the process allocates, from nothing. Objects that are loaded later have no name. `depth`
// addresses of each stack tell places apart: 1 is fast, more tell how one came there.
void allocation_recording_begin(int32_t depth);

// Ends it; what was noted stays.
void allocation_recording_end(void);

// How many places there are.
int32_t allocation_site_count(void);

// One of them, in no order.
struct allocation_site allocation_site_at(int32_t index);

// Allocations that were not noted, because there were too many places.
uint64_t allocation_overflow(void);

// The path of a loaded object, empty for the executable; "?" where there is none.
const char *allocation_module_name(int32_t module);

// The function that an address of the executable lies in, as the symbol table has it; NULL where it says nothing.
const char *allocation_symbol(uintptr_t address);

#endif
