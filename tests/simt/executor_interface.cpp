// The functions of executor.h. What they do is not the kernel's doing.

#include "kernels/error.h"
#include "tests/simt/access_hooks.h"
#include "tests/simt/executor_state.h"

namespace gestalt::simt {

void run_threads(const Launch& launch, ThreadBody body, const void* closure) {
  Executor::instance().run(launch, body, closure);
}

void set_seed(uint64_t seed) {
  Executor::instance().set_seed(seed);
}

uint64_t launches() {
  return Executor::instance().launches();
}

uint64_t prefetches() {
  return Executor::instance().prefetches();
}

void set_device_properties(const DeviceProperties& properties) {
  Executor::instance().set_device_properties(properties);
}

const DeviceProperties& device_properties() {
  const OutsideDeviceCode outside;
  return Executor::instance().device_properties();
}

int block_barrier(bool predicate, std::source_location where) {
  const OutsideDeviceCode outside;
  return static_cast<int>(Executor::instance().block_barrier(predicate, where));
}

uint64_t warp_operation(WarpOperation operation, uint32_t mask, uint64_t value, int source,
                        std::source_location where) {
  const OutsideDeviceCode outside;
  return Executor::instance().warp_operation(operation, mask, value, source, where);
}

int lane() {
  const OutsideDeviceCode outside;
  return Executor::instance().lane();
}

void maybe_yield() {
  const OutsideDeviceCode outside;
  Executor::instance().maybe_yield();
}

size_t shared_bytes() {
  const OutsideDeviceCode outside;
  return Executor::instance().shared_bytes();
}

void global_access(const void* pointer, size_t bytes, size_t alignment, Access access) {
  const OutsideDeviceCode outside;
  Executor::instance().global_access(pointer, bytes, alignment, access);
}

void prefetch(const void* address) {
  const OutsideDeviceCode outside;
  Executor::instance().prefetch(address);
}

void* shared_access(size_t offset, size_t bytes, Access access, int rank) {
  const OutsideDeviceCode outside;
  return Executor::instance().shared_access(offset, bytes, access, rank);
}

int cluster_rank() {
  const OutsideDeviceCode outside;
  return Executor::instance().cluster_rank();
}

int cluster_size() {
  const OutsideDeviceCode outside;
  return Executor::instance().cluster_size();
}

void cluster_arrive(std::source_location where) {
  const OutsideDeviceCode outside;
  Executor::instance().cluster_arrive(where);
}

void cluster_wait(std::source_location where) {
  const OutsideDeviceCode outside;
  Executor::instance().cluster_wait(where);
}

void copy_barrier_init(size_t barrier, uint32_t arrivals) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_barrier_init(barrier, arrivals);
}

void copy_barrier_arrive(size_t barrier, uint32_t bytes) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_barrier_arrive(barrier, bytes);
}

void copy_barrier_wait(size_t barrier, uint32_t parity, std::source_location where) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_barrier_wait(barrier, parity, where);
}

void copy_to_shared(size_t to, const void* from, size_t bytes, size_t barrier) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_to_shared(to, from, bytes, barrier);
}

void copy_to_global(void* to, size_t from, size_t bytes) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_to_global(to, from, bytes);
}

void copy_commit() {
  const OutsideDeviceCode outside;
  Executor::instance().copy_commit();
}

void copy_wait_read(std::source_location where) {
  const OutsideDeviceCode outside;
  Executor::instance().copy_wait_read(where);
}

void async_fence() {
  const OutsideDeviceCode outside;
  Executor::instance().async_fence();
}

void fail(const char* pattern, long long a, long long b) {
  const OutsideDeviceCode outside;
  Executor::instance().fail(format(pattern, a, b));
}

}  // namespace gestalt::simt
