// The fused optimizer steps against torch.optim's formulas, two parameters at once. The outputs are
// the parameters, then their states.

#include <cmath>

#include "kernels/table.h"
#include "tensor/context.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

Tensor state_copy(const Tensor& x) {
  return x.to(x.dtype() == DType::f64 ? DType::f64 : DType::f32).clone();
}

// Inputs: parameter, gradient, momentum of a small and of a larger parameter.
OpCase make_sgd(const std::string& name, const SgdDesc& desc, int64_t large) {
  return {.name = "sgd_step/" + name,
          .inputs = {{.shape = {7}},
                     {.shape = {7}},
                     {.shape = {7}},
                     {.shape = {3, large}},
                     {.shape = {3, large}},
                     {.shape = {3, large}}},
          .run =
              [desc](const std::vector<Tensor>& in) {
                std::vector<Tensor> parameters, buffers;
                std::vector<SgdParameter> entries;
                std::vector<View> views;
                views.reserve(2);
                for (size_t i = 0; i < in.size(); i += 3) {
                  parameters.push_back(in[i].clone());
                  buffers.push_back(state_copy(in[i + 2]));
                  views.push_back(buffers.back().view());
                  entries.push_back({parameters.back().view(), in[i + 1].view(),
                                     desc.momentum != 0 ? &views.back() : nullptr});
                }
                Context& ctx = context(in[0].device());
                ctx.kernels().sgd_step(ctx, entries, desc);
                parameters.insert(parameters.end(), buffers.begin(), buffers.end());
                return parameters;
              },
          .reference =
              [desc](const std::vector<Array>& in) {
                std::vector<Array> parameters, buffers;
                for (size_t i = 0; i < in.size(); i += 3) {
                  Array p = in[i], b = in[i + 2];
                  for (size_t k = 0; k < p.values.size(); ++k) {
                    double g = in[i + 1].values[k] + desc.weight_decay * p.values[k];
                    if (desc.momentum != 0) {
                      double& buffer = b.values[k];
                      buffer =
                          desc.first_step ? g : desc.momentum * buffer + (1 - desc.dampening) * g;
                      g = desc.nesterov ? g + desc.momentum * buffer : buffer;
                    }
                    p.values[k] -= desc.learning_rate * g;
                  }
                  parameters.push_back(p);
                  buffers.push_back(b);
                }
                parameters.insert(parameters.end(), buffers.begin(), buffers.end());
                return parameters;
              },
          .differentiable = false};
}

// Inputs: parameter, gradient, both moments; the second is positive.
OpCase make_adam(const std::string& name, const AdamDesc& desc, int64_t large) {
  OpCase op_case{
      .name = "adam_step/" + name,
      .inputs = {},
      .run =
          [desc](const std::vector<Tensor>& in) {
            std::vector<Tensor> parameters, moments;
            std::vector<AdamParameter> entries;
            for (size_t i = 0; i < in.size(); i += 4) {
              parameters.push_back(in[i].clone());
              moments.push_back(state_copy(in[i + 2]));
              moments.push_back(state_copy(in[i + 3]));
              entries.push_back({parameters.back().view(), in[i + 1].view(),
                                 moments[moments.size() - 2].view(), moments.back().view()});
            }
            Context& ctx = context(in[0].device());
            ctx.kernels().adam_step(ctx, entries, desc);
            parameters.insert(parameters.end(), moments.begin(), moments.end());
            return parameters;
          },
      .reference =
          [desc](const std::vector<Array>& in) {
            std::vector<Array> parameters, moments;
            const double step = static_cast<double>(desc.step);
            for (size_t i = 0; i < in.size(); i += 4) {
              Array p = in[i], m = in[i + 2], v = in[i + 3];
              for (size_t k = 0; k < p.values.size(); ++k) {
                double g = in[i + 1].values[k];
                if (desc.decoupled_weight_decay) {
                  p.values[k] *= 1 - desc.learning_rate * desc.weight_decay;
                } else {
                  g += desc.weight_decay * p.values[k];
                }
                m.values[k] = desc.beta1 * m.values[k] + (1 - desc.beta1) * g;
                v.values[k] = desc.beta2 * v.values[k] + (1 - desc.beta2) * g * g;
                const double mean = m.values[k] / (1 - std::pow(desc.beta1, step));
                const double square = v.values[k] / (1 - std::pow(desc.beta2, step));
                p.values[k] -= desc.learning_rate * mean / (std::sqrt(square) + desc.epsilon);
              }
              parameters.push_back(p);
              moments.push_back(m);
              moments.push_back(v);
            }
            parameters.insert(parameters.end(), moments.begin(), moments.end());
            return parameters;
          },
      .differentiable = false};
  for (const Shape& shape : {Shape{7}, Shape{3, large}}) {
    for (int i = 0; i < 4; ++i) {
      op_case.inputs.push_back({.shape = shape, .low = i == 3 ? 0.1 : -1.0});
    }
  }
  return op_case;
}

// Inputs: parameter, average; twice.
OpCase make_average(const std::string& name, double decay, int64_t large) {
  return {.name = "average_step/" + name,
          .inputs = {{.shape = {7}}, {.shape = {7}}, {.shape = {3, large}}, {.shape = {3, large}}},
          .run =
              [decay](const std::vector<Tensor>& in) {
                std::vector<Tensor> averages;
                std::vector<AveragedParameter> entries;
                for (size_t i = 0; i < in.size(); i += 2) {
                  averages.push_back(state_copy(in[i + 1]));
                  entries.push_back({in[i].view(), averages.back().view()});
                }
                Context& ctx = context(in[0].device());
                ctx.kernels().average_step(ctx, entries, decay);
                return averages;
              },
          .reference =
              [decay](const std::vector<Array>& in) {
                std::vector<Array> averages;
                for (size_t i = 0; i < in.size(); i += 2) {
                  Array average = in[i + 1];
                  for (size_t k = 0; k < average.values.size(); ++k) {
                    average.values[k] = decay * average.values[k] + (1 - decay) * in[i].values[k];
                  }
                  averages.push_back(average);
                }
                return averages;
              },
          .differentiable = false};
}

std::vector<OpCase> cases() {
  SgdDesc plain{.learning_rate = 0.1, .weight_decay = 0.01};
  SgdDesc momentum{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.25};
  SgdDesc first = momentum;
  first.first_step = true;
  SgdDesc nesterov{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.05, .nesterov = true};
  AdamDesc adam{.learning_rate = 0.01, .weight_decay = 0.1, .step = 3};
  AdamDesc adamw = adam;
  adamw.decoupled_weight_decay = true;
  AdamDesc gan{.learning_rate = 0.01, .beta1 = 0.5, .step = 1000};
  return {make_sgd("plain", plain, 5),        make_sgd("momentum", momentum, 5),
          make_sgd("first_step", first, 5),   make_sgd("nesterov", nesterov, 5),
          make_sgd("large", momentum, 20000), make_adam("coupled", adam, 5),
          make_adam("decoupled", adamw, 5),   make_adam("betas", gan, 5),
          make_adam("large", adam, 20000),    make_average("small", 0.75, 5),
          make_average("large", 0.999, 5000)};
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
