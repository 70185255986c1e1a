#include "tensor/text.h"

#include <cstdio>
#include <vector>

namespace gestalt {
namespace {

class Writer {
 public:
  Writer(const Tensor& tensor, const TextOptions& options)
      : shape_(tensor.shape()),
        at_each_end_(options.at_each_end),
        shortens_(tensor.numel() > options.most_elements) {
    // An i64 need not fit a double.
    if (tensor.dtype() == DType::i64) {
      integers_ = tensor.to_vector<int64_t>();
    } else {
      values_ = tensor.to_vector<double>();
    }
  }

  std::string text() {
    dimension(0, 0);
    return std::move(text_);
  }

 private:
  void dimension(int dim, int64_t begin) {
    if (dim == shape_.rank()) {
      element(begin);
      return;
    }
    const int64_t count = shape_[dim], each = stride(dim);
    text_ += '[';
    for (int64_t i = 0; i < count; ++i) {
      if (i > 0) between(dim);
      if (shortens_ && count > 2 * at_each_end_ + 1 && i == at_each_end_) {
        text_ += "...";
        i = count - at_each_end_ - 1;
        continue;
      }
      dimension(dim + 1, begin + i * each);
    }
    text_ += ']';
  }

  // Rows stand below each other, matrices with an empty line between.
  void between(int dim) {
    const int deeper = shape_.rank() - 1 - dim;
    if (deeper == 0) {
      text_ += ", ";
      return;
    }
    text_ += ',' + std::string(static_cast<size_t>(deeper), '\n') +
             std::string(static_cast<size_t>(dim) + 1, ' ');
  }

  int64_t stride(int dim) const {
    int64_t elements = 1;
    for (int i = dim + 1; i < shape_.rank(); ++i) elements *= shape_[i];
    return elements;
  }

  void element(int64_t index) {
    const auto place = static_cast<size_t>(index);
    if (values_.empty()) {
      text_ += std::to_string(integers_[place]);
      return;
    }
    char digits[32];
    std::snprintf(digits, sizeof digits, "%g", values_[place]);
    text_ += digits;
  }

  Shape shape_;
  int64_t at_each_end_;
  bool shortens_;
  std::vector<double> values_;
  std::vector<int64_t> integers_;
  std::string text_;
};

}  // namespace

std::string to_text(const Tensor& tensor, const TextOptions& options) {
  if (!tensor.defined()) return "undefined";
  return to_string(tensor) + '\n' + Writer(tensor, options).text();
}

}  // namespace gestalt
