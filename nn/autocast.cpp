#include "nn/autocast.h"

#include "kernels/error.h"

namespace gestalt::nn {
namespace {

thread_local DType reduced = DType::f32;

bool is_reducible(const Tensor& x) {
  return reduced != DType::f32 && x.defined() && is_floating(x.dtype()) && x.dtype() != DType::f64;
}

}  // namespace

AutocastGuard::AutocastGuard(DType dtype) : before_(reduced) {
  GESTALT_CHECK(dtype == DType::f32 || dtype == DType::bf16,
                "[autocast] expected f32 or bf16, got {}", dtype);
  reduced = dtype;
}

AutocastGuard::~AutocastGuard() {
  reduced = before_;
}

Tensor autocast(const Tensor& x) {
  return is_reducible(x) ? x.to(reduced) : x;
}

DType autocast_dtype(const Tensor& x) {
  return is_reducible(x) ? reduced : x.dtype();
}

Tensor autocast_to_f32(const Tensor& x) {
  return is_reducible(x) ? x.to(DType::f32) : x;
}

}  // namespace gestalt::nn
