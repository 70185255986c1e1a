#pragma once

// Top-K of one row by a stable sort: the oracle for masks.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace gestalt::ref {

// Which are the k largest; equal ones by lowest index first.
template <class Order>
std::vector<bool> top_indices(const std::vector<Order>& order, int64_t k) {
  std::vector<int64_t> index(order.size());
  std::iota(index.begin(), index.end(), 0);
  std::stable_sort(index.begin(), index.end(),
                   [&](int64_t a, int64_t b) { return order[a] > order[b]; });
  std::vector<bool> kept(order.size(), false);
  for (int64_t i = 0; i < k; ++i) kept[index[i]] = true;
  return kept;
}

// By f(value), NaN above infinity.
template <class F>
std::vector<bool> top_values(const std::vector<double>& row, int64_t k, F&& f) {
  std::vector<std::pair<bool, double>> order(row.size());
  for (size_t i = 0; i < row.size(); ++i) {
    order[i] = std::isnan(row[i]) ? std::pair{true, 0.0} : std::pair{false, f(row[i])};
  }
  return top_indices(order, k);
}

inline std::vector<bool> topk_mask(const std::vector<double>& row, int64_t k) {
  return top_values(row, k, [](double x) { return std::abs(x); });
}

inline std::vector<bool> topk_signed_mask(const std::vector<double>& row, int64_t k) {
  return top_values(row, k, [](double x) { return x; });
}

}  // namespace gestalt::ref
