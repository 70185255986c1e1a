#pragma once

// The SIMT executor: runs a CUDA kernel, compiled as plain C++, on the host.
//
// Each thread of a block is a fiber; blocks run one after another in shuffled order (those of a
// cluster together), and the fibers in an order that the seed decides anew wherever one could
// yield. A bulk copy is done at a moment that the seed decides. A kernel may rely on nothing but
// its barriers. Found, and thrown as gestalt::Error naming kernel, block, thread and seed:
//  - a barrier that not all threads of the block, or of the cluster, reach, or that those of a
//    block reach at different lines;
//  - a warp operation whose lanes disagree about mask or line, lack lanes that the mask names
//    (elsewhere or exited), or read from a lane outside the mask;
//  - shared memory, the own and that of the cluster's other blocks: accesses out of bounds, reads
//    of bytes that nobody wrote, and races: two threads, the same bytes, at least one plain write,
//    no barrier between (for lanes of one warp: no __syncwarp, for blocks: no cluster barrier);
//  - shared memory of a block that has exited, may exit or need not have begun;
//  - bulk copies: accesses to what one fills, and writes to what one reads, before a wait for it;
//    addresses and sizes that are not multiples of 16; memory written without a fence; copies that
//    nobody waits for;
//  - global memory: races, as above and between any two blocks that are not of one cluster;
//    accesses out of bounds and reads of what nobody wrote, where global_memory.h was told of
//    buffers; what is asked into L2 out of bounds;
//  - launches that no GPU takes (more than 1024 threads, 65535 in grid.y or z, 227 KB shared).
// Accesses to global memory are seen where the device code is compiled with the hooks of
// access_hooks.h, which is always but in builds with AddressSanitizer (that one knows the fibers),
// and with GESTALT_SIMT_WATCH=0 in the environment, which takes half the time.
//
// The seed is GESTALT_SIMT_SEED, else different in every process.

#include <cstddef>
#include <cstdint>
#include <source_location>

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace gestalt::simt {

struct Launch {
  const char* kernel;
  dim3 grid, block;
  size_t shared_bytes = 0;
  unsigned cluster = 1;  // blocks
};

// What launchers and kernels are told of the device; an H100's unless set otherwise. Architectures
// below 90 have neither clusters nor bulk copies.
struct DeviceProperties {
  int architecture = 90;
  size_t shared_bytes = 227 * 1024;  // that a block may have
  int multiprocessors = 132;
  bool has_room_for_clusters = true;  // false, as on a slice of a GPU: a launch of one fails
};
void set_device_properties(const DeviceProperties& properties);
const DeviceProperties& device_properties();

using ThreadBody = void (*)(const void* closure);
void run_threads(const Launch& launch, ThreadBody body, const void* closure);

// Runs body() once for each thread of the grid.
template <class Body>
void run(const Launch& launch, const Body& body) {
  run_threads(
      launch, [](const void* closure) { (*static_cast<const Body*>(closure))(); }, &body);
}

// The seed of the launches from here on.
void set_seed(uint64_t seed);

// How many there have been.
uint64_t launches();
// How often device code asked for memory to be brought into L2.
uint64_t prefetches();

// What device_language.h and shared memory are made of; only to be called inside run().

enum class WarpOperation : uint8_t { sync, shuffle, ballot, match };
enum class Access : uint8_t { read, write, atomic };

// Waits for the whole block; returns in how many threads `predicate` was true.
int block_barrier(bool predicate, std::source_location where);
// Waits for the lanes of `mask`. shuffle: `source`'s value; ballot: the lanes whose value is not
// zero; match: the lanes with the same value.
uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source,
                        std::source_location where);
int lane();
// Lets other threads run, sometimes.
void maybe_yield();

size_t shared_bytes();
// Checks an access to the shared memory of the block `rank` of the cluster, -1: the own, and
// returns where the bytes lie.
void* shared_access(size_t offset, size_t bytes, Access access, int rank = -1);

// An access of device code to global memory, which must be aligned to `alignment` bytes. A fault
// ends the launch, without unwinding the caller.
void global_access(const void* pointer, size_t bytes, size_t alignment, Access access);

// Checks what device code asks into L2, and counts it.
void prefetch(const void* address);

int cluster_rank();
int cluster_size();
void cluster_arrive(std::source_location where);
void cluster_wait(std::source_location where);

// Bulk copies (kernels/cuda/device/async_copy.cuh); shared memory and barriers by their place.
void copy_barrier_init(size_t barrier, uint32_t arrivals);
void copy_barrier_arrive(size_t barrier, uint32_t bytes);
void copy_barrier_wait(size_t barrier, uint32_t parity, std::source_location where);
void copy_to_shared(size_t to, const void* from, size_t bytes, size_t barrier);
void copy_to_global(void* to, size_t from, size_t bytes);
void copy_commit();
void copy_wait_read(std::source_location where);
void async_fence();

[[noreturn]] void fail(const char* pattern, long long a = 0, long long b = 0);

}  // namespace gestalt::simt
