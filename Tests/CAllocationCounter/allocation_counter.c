#define _GNU_SOURCE
#include "allocation_counter.h"

#if defined(__linux__) && defined(__GLIBC__)

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

// glibc's own, under the names that it exports for this purpose.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define MAX_MODULES 256
#define MAX_SITES 16384

struct module {
  uintptr_t start;
  uintptr_t end;
  // Serves whoever calls it: what it allocates is on its caller's account.
  bool is_runtime;
  char name[256];
};

static struct module modules[MAX_MODULES];
static int32_t module_count;
static struct allocation_site sites[MAX_SITES];
static _Atomic int32_t used_sites;
static _Atomic uint64_t overflow;
static _Atomic bool is_recording;
static int32_t wanted_depth = 1;
static atomic_flag lock = ATOMIC_FLAG_INIT;

static _Thread_local uint64_t thread_count;
// The unwinder may allocate.
static _Thread_local bool is_noting;

bool allocation_counting_works(void) { return true; }
uint64_t allocation_count_of_thread(void) { return thread_count; }

static bool is_runtime(const char *path) {
  static const char *const prefixes[] = {"libc.so", "libc-", "libm.so", "libpthread", "libdl.so", "ld-linux",
                                         "libstdc++", "libgcc_s", "libswift", "libFoundation", "lib_Foundation",
                                         "libdispatch", "libBlocksRuntime"};
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  // FFmpeg's scaler is no part of Swift.
  if (strncmp(name, "libswscale", 10) == 0 || strncmp(name, "libswresample", 13) == 0) return false;
  for (size_t index = 0; index < sizeof prefixes / sizeof *prefixes; index++) {
    if (strncmp(name, prefixes[index], strlen(prefixes[index])) == 0) return true;
  }
  return false;
}

static int note_module(struct dl_phdr_info *info, size_t size, void *context) {
  (void)size;
  (void)context;
  for (int index = 0; index < info->dlpi_phnum && module_count < MAX_MODULES; index++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[index];
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
    struct module *module = &modules[module_count++];
    module->start = info->dlpi_addr + header->p_vaddr;
    module->end = module->start + header->p_memsz;
    strncpy(module->name, info->dlpi_name ? info->dlpi_name : "", sizeof module->name - 1);
    module->is_runtime = is_runtime(module->name);
  }
  return 0;
}

static int32_t module_of(uintptr_t address) {
  for (int32_t index = 0; index < module_count; index++) {
    if (address >= modules[index].start && address < modules[index].end) return index;
  }
  return -1;
}

struct walk {
  struct allocation_site site;
  // Frames of this file, which come first.
  int32_t own_frames;
  int32_t outermost_runtime;
};

// Passes over this file and over runtimes.
static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument) {
  struct walk *walk = argument;
  if (walk->own_frames > 0) {
    walk->own_frames--;
    return _URC_NO_REASON;
  }
  uintptr_t address = _Unwind_GetIP(context);
  if (address == 0) return _URC_END_OF_STACK;
  // A return address lies behind its call, which may have been the last instruction of its function.
  address -= 1;
  if (walk->site.depth == 0) {
    int32_t module = module_of(address);
    if (module >= 0 && modules[module].is_runtime) {
      walk->outermost_runtime = module;
      return _URC_NO_REASON;
    }
    walk->site.module = module;
  }
  walk->site.addresses[walk->site.depth++] = address;
  return walk->site.depth < wanted_depth ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static uint64_t hash(const struct allocation_site *site) {
  uint64_t value = (uint64_t)(site->module + 1) * 0x9e3779b97f4a7c15u;
  for (int32_t index = 0; index < site->depth; index++) {
    value = (value ^ site->addresses[index]) * 0xff51afd7ed558ccdu;
    value ^= value >> 32;
  }
  return value;
}

static bool is_same(const struct allocation_site *left, const struct allocation_site *right) {
  return left->module == right->module && left->depth == right->depth
    && memcmp(left->addresses, right->addresses, (size_t)left->depth * sizeof *left->addresses) == 0;
}

static void add(const struct allocation_site *site, size_t bytes) {
  // Open addressing; a place whose count is 0 is free.
  for (uint64_t probe = hash(site), tries = 0; tries < MAX_SITES; probe++, tries++) {
    struct allocation_site *known = &sites[probe % MAX_SITES];
    if (known->count == 0) {
      if (used_sites >= MAX_SITES * 3 / 4) break;
      *known = *site;
      used_sites++;
    } else if (!is_same(known, site)) {
      continue;
    }
    known->count++;
    known->bytes += bytes;
    return;
  }
  overflow++;
}

// Called by the functions below, which are not inlined either: two frames are this file's own.
static __attribute__((noinline)) void note(size_t bytes) {
  if (is_noting) return;
  is_noting = true;
  struct walk walk = {.own_frames = 2, .outermost_runtime = -1};
  walk.site.module = -1;
  _Unwind_Backtrace(step, &walk);
  if (walk.site.depth == 0 && walk.outermost_runtime >= 0) walk.site.module = walk.outermost_runtime;
  while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
  }
  add(&walk.site, bytes);
  atomic_flag_clear_explicit(&lock, memory_order_release);
  is_noting = false;
}

#define COUNTED(bytes)                                                           \
  do {                                                                           \
    thread_count++;                                                              \
    if (atomic_load_explicit(&is_recording, memory_order_relaxed)) note(bytes);  \
  } while (0)

__attribute__((noinline)) void *malloc(size_t size) {
  COUNTED(size);
  return __libc_malloc(size);
}

__attribute__((noinline)) void *calloc(size_t count, size_t size) {
  COUNTED(count * size);
  return __libc_calloc(count, size);
}

__attribute__((noinline)) void *realloc(void *memory, size_t size) {
  COUNTED(size);
  return __libc_realloc(memory, size);
}

__attribute__((noinline)) void *memalign(size_t alignment, size_t size) {
  COUNTED(size);
  return __libc_memalign(alignment, size);
}

__attribute__((noinline)) void *aligned_alloc(size_t alignment, size_t size) {
  COUNTED(size);
  return __libc_memalign(alignment, size);
}

__attribute__((noinline)) int posix_memalign(void **memory, size_t alignment, size_t size) {
  COUNTED(size);
  if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  void *allocated = __libc_memalign(alignment, size);
  if (!allocated) return ENOMEM;
  *memory = allocated;
  return 0;
}

static void warm_up_unwinder(void) {
  // It loads its tables at its first use.
  struct walk walk = {.outermost_runtime = -1};
  is_noting = true;
  _Unwind_Backtrace(step, &walk);
  is_noting = false;
}

void allocation_recording_begin(int32_t depth) {
  is_recording = false;
  wanted_depth = depth < 1 ? 1 : depth > ALLOCATION_DEPTH ? ALLOCATION_DEPTH : depth;
  module_count = 0;
  dl_iterate_phdr(note_module, NULL);
  warm_up_unwinder();
  memset(sites, 0, sizeof sites);
  used_sites = 0;
  overflow = 0;
  is_recording = true;
}

void allocation_recording_end(void) { is_recording = false; }

int32_t allocation_site_count(void) { return used_sites; }
uint64_t allocation_overflow(void) { return overflow; }

struct allocation_site allocation_site_at(int32_t wanted) {
  for (int32_t index = 0; index < MAX_SITES; index++) {
    if (sites[index].count > 0 && wanted-- == 0) return sites[index];
  }
  return (struct allocation_site){.module = -1};
}

const char *allocation_module_name(int32_t module) {
  return module >= 0 && module < module_count ? modules[module].name : "?";
}

// The executable's own file, mapped once.
static const unsigned char *executable(size_t *size) {
  static const unsigned char *bytes;
  static size_t length;
  if (!bytes) {
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file >= 0 && fstat(file, &status) == 0) {
      void *mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
      if (mapped != MAP_FAILED) {
        bytes = mapped;
        length = (size_t)status.st_size;
      }
    }
    if (file >= 0) close(file);
  }
  *size = length;
  return bytes;
}

static int note_base(struct dl_phdr_info *info, size_t size, void *base) {
  (void)size;
  // The executable comes first.
  *(uintptr_t *)base = info->dlpi_addr;
  return 1;
}

const char *allocation_symbol(uintptr_t address) {
  size_t size = 0;
  const unsigned char *file = executable(&size);
  if (!file || size < sizeof(ElfW(Ehdr))) return NULL;
  uintptr_t base = 0;
  dl_iterate_phdr(note_base, &base);
  const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)file;
  const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(file + header->e_shoff);
  for (int section = 0; section < header->e_shnum; section++) {
    if (sections[section].sh_type != SHT_SYMTAB) continue;
    const ElfW(Sym) *symbols = (const ElfW(Sym) *)(file + sections[section].sh_offset);
    const char *names = (const char *)file + sections[sections[section].sh_link].sh_offset;
    for (size_t index = 0; index < sections[section].sh_size / sizeof *symbols; index++) {
      uintptr_t start = base + symbols[index].st_value;
      if (ELF64_ST_TYPE(symbols[index].st_info) == STT_FUNC && address >= start
          && address < start + symbols[index].st_size) {
        return names + symbols[index].st_name;
      }
    }
  }
  return NULL;
}

#else

#include <stddef.h>

bool allocation_counting_works(void) { return false; }
uint64_t allocation_count_of_thread(void) { return 0; }
void allocation_recording_begin(int32_t depth) { (void)depth; }
void allocation_recording_end(void) {}
int32_t allocation_site_count(void) { return 0; }
struct allocation_site allocation_site_at(int32_t index) {
  (void)index;
  return (struct allocation_site){.module = -1};
}
uint64_t allocation_overflow(void) { return 0; }
const char *allocation_module_name(int32_t module) {
  (void)module;
  return "?";
}
const char *allocation_symbol(uintptr_t address) {
  (void)address;
  return NULL;
}

#endif
