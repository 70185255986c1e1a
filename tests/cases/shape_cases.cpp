// Views and rearrangements are exact: every dtype, no tolerance.

#include "tensor/ops/convert.h"
#include "tensor/ops/shape.h"
#include "tests/cases/op_case.h"
#include "tests/ref/elementwise.h"

namespace gestalt::cases {
namespace {

using Run = Tensor (*)(const Tensor&);
// The element of x that stands at `index` of the result.
using Source = Shape (*)(const Shape& index);

OpCase make(const std::string& name, const Input& input, const Shape& result, Run run,
            Source source) {
  return {.name = name,
          .inputs = {input},
          .run = [run](const std::vector<Tensor>& in) { return std::vector{run(in[0])}; },
          .reference =
              [result, source](const std::vector<Array>& in) {
                Array y(result);
                for (size_t i = 0; i < y.values.size(); ++i) {
                  const Shape index = ref::index_of(result, static_cast<int64_t>(i));
                  y.values[i] = ref::at(in[0], source(index));
                }
                return std::vector{y};
              }};
}

// Same values in the same logical order.
OpCase make_reshape(const std::string& name, const Input& input, const Shape& result, Run run) {
  return {.name = name,
          .inputs = {input},
          .run = [run](const std::vector<Tensor>& in) { return std::vector{run(in[0])}; },
          .reference =
              [result](const std::vector<Array>& in) {
                return std::vector{ref::reshaped(in[0], result)};
              }};
}

// Two and a half tensors along dimension 1.
OpCase make_cat(const std::string& name, const Input& a, const Input& b) {
  return {.name = "cat/" + name,
          .inputs = {a, b},
          .run =
              [](const std::vector<Tensor>& in) {
                return std::vector{cat({in[0], in[1], in[0]}, 1)};
              },
          .reference =
              [](const std::vector<Array>& in) {
                const int64_t from_a = in[0].shape[1], from_b = in[1].shape[1];
                Shape shape = in[0].shape;
                shape[1] = 2 * from_a + from_b;
                Array y(shape);
                for (size_t i = 0; i < y.values.size(); ++i) {
                  Shape index = ref::index_of(shape, static_cast<int64_t>(i));
                  const int64_t position = index[1];
                  const bool in_b = position >= from_a && position < from_a + from_b;
                  index[1] = position < from_a ? position
                             : in_b            ? position - from_a
                                               : position - from_a - from_b;
                  y.values[i] = ref::at(in[in_b ? 1 : 0], index);
                }
                return std::vector{y};
              }};
}

OpCase make_stack(const std::string& name, const Input& x, int dim) {
  return {.name = "stack/" + name,
          .inputs = {x, x},
          .run =
              [dim](const std::vector<Tensor>& in) {
                return std::vector{stack({in[0], in[1], in[0]}, dim)};
              },
          .reference =
              [dim](const std::vector<Array>& in) {
                Shape shape = in[0].shape;
                const int at = dim < 0 ? dim + shape.rank() + 1 : dim;
                shape.insert(at, 3);
                Array y(shape);
                for (size_t i = 0; i < y.values.size(); ++i) {
                  Shape index = ref::index_of(shape, static_cast<int64_t>(i));
                  const bool in_b = index[at] == 1;
                  index.erase(at);
                  y.values[i] = ref::at(in[in_b ? 1 : 0], index);
                }
                return std::vector{y};
              }};
}

OpCase make_index_select(const std::string& name, const Input& x, int dim,
                         const std::vector<double>& indices) {
  const Shape taken{static_cast<int64_t>(indices.size())};
  return {.name = "index_select/" + name,
          .inputs = {x, {.shape = taken, .values = indices, .gradient = false, .integer = true}},
          .run =
              [dim](const std::vector<Tensor>& in) {
                return std::vector{index_select(in[0], dim, in[1])};
              },
          .reference =
              [dim](const std::vector<Array>& in) {
                Shape shape = in[0].shape;
                shape[dim] = in[1].shape[0];
                Array y(shape);
                for (size_t i = 0; i < y.values.size(); ++i) {
                  Shape index = ref::index_of(shape, static_cast<int64_t>(i));
                  index[dim] = static_cast<int64_t>(in[1].values[index[dim]]);
                  y.values[i] = ref::at(in[0], index);
                }
                return std::vector{y};
              }};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (Layout layout : {Layout::contiguous, Layout::channels_last, Layout::strided}) {
    const Input input{.shape = {2, 3, 4, 6}, .layout = layout};
    const std::string suffix = layout == Layout::contiguous      ? "/contiguous"
                               : layout == Layout::channels_last ? "/channels_last"
                                                                 : "/strided";
    list.push_back(make_reshape("reshape" + suffix, input, {6, 24}, [](const Tensor& x) {
      return reshape(x, {6, -1});
    }));
    list.push_back(make_reshape("flatten" + suffix, input, {2, 72},
                                [](const Tensor& x) { return flatten(x, 1); }));
    list.push_back(make_reshape("unsqueeze" + suffix, input, {2, 3, 1, 4, 6},
                                [](const Tensor& x) { return unsqueeze(x, 2); }));
    list.push_back(make_reshape("clone" + suffix, input, input.shape,
                                [](const Tensor& x) { return x.clone(); }));
    list.push_back(make_reshape("contiguous" + suffix, input, input.shape, [](const Tensor& x) {
      return x.contiguous(Format::channels_last).contiguous();
    }));
    list.push_back(make(
        "permute" + suffix, input, {4, 2, 6, 3},
        [](const Tensor& x) {
          return permute(x, {2, 0, 3, 1});
        },
        [](const Shape& i) {
          return Shape{i[1], i[3], i[0], i[2]};
        }));
    list.push_back(make(
        "transpose" + suffix, input, {2, 6, 4, 3},
        [](const Tensor& x) { return transpose(x, 1, -1); },
        [](const Shape& i) {
          return Shape{i[0], i[3], i[2], i[1]};
        }));
    list.push_back(make(
        "narrow" + suffix, input, {2, 3, 2, 6}, [](const Tensor& x) { return narrow(x, 2, 1, 2); },
        [](const Shape& i) {
          return Shape{i[0], i[1], i[2] + 1, i[3]};
        }));
    list.push_back(make(
        "select" + suffix, input, {2, 4, 6}, [](const Tensor& x) { return select(x, 1, -1); },
        [](const Shape& i) {
          return Shape{i[0], 2, i[1], i[2]};
        }));
    list.push_back(make_cat(suffix.substr(1), input, {.shape = {2, 2, 4, 6}, .layout = layout}));
    list.push_back(make_stack(suffix.substr(1), input, 1));
    // Forwards, backwards, more than once, and rows that nobody takes.
    const std::string name = suffix.substr(1);
    list.push_back(make_index_select(name + "_0", input, 0, {1, 1, 0}));
    list.push_back(make_index_select(name + "_1", input, 1, {2, 0, 2, 2}));
    list.push_back(make_index_select(name + "_2", input, -2, {3, 1}));
    list.push_back(make_index_select(name + "_3", input, 3, {5, 4, 0, 0, 1, 4, 4}));
  }
  // Three channels, and pixels that fill no vector.
  list.push_back(make_reshape(
      "contiguous/rgb", {.shape = {2, 3, 5, 7}}, {2, 3, 5, 7},
      [](const Tensor& x) { return x.contiguous(Format::channels_last).contiguous(); }));
  list.push_back(make(
      "narrow/nothing", {.shape = {2, 3}}, {2, 0},
      [](const Tensor& x) { return narrow(x, 1, 3, 0); }, [](const Shape& i) { return i; }));
  list.push_back(make_reshape("squeeze/middle", {.shape = {2, 1, 3}}, {2, 3},
                              [](const Tensor& x) { return squeeze(x, 1); }));
  list.push_back(make_reshape("reshape/rank_0", {.shape = {1}}, {},
                              [](const Tensor& x) { return reshape(x, {}); }));
  list.push_back(make(
      "expand/outer_and_inner", {.shape = {3, 1}}, {2, 3, 4},
      [](const Tensor& x) {
        return expand(x, {2, 3, 4});
      },
      [](const Shape& i) {
        return Shape{i[1], 0};
      }));
  list.push_back(make_stack("first", {.shape = {3, 5}}, 0));
  list.push_back(make_stack("last", {.shape = {3, 5}}, -1));
  list.push_back(make_stack("rank_0", {.shape = {}}, 0));
  list.push_back(make_stack("empty", {.shape = {2, 0}}, 1));
  std::vector<double> many(300);
  for (size_t k = 0; k < many.size(); ++k) many[k] = static_cast<double>(k * k % 61);
  list.push_back(make_index_select("many_outer", {.shape = {61, 33}}, 0, many));
  list.push_back(make_index_select("many_inner", {.shape = {3, 61}}, 1, many));
  list.push_back(make_index_select("vector", {.shape = {61}}, 0, many));
  list.push_back(make_index_select("wide", {.shape = {3, 700}}, 0, {2, 0, 2}));
  list.push_back(make_index_select("none", {.shape = {3, 4}}, 1, {}));
  list.push_back(make_index_select("no_elements", {.shape = {3, 0}}, 0, {2, 2}));
  list.push_back(make_cat("with_empty", {.shape = {2, 3}}, {.shape = {2, 0}}));
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
