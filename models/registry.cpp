#include "models/registry.h"

#include <functional>
#include <map>

#include "kernels/error.h"
#include "models/vgg.h"

namespace gestalt::models {
namespace {

using Maker = std::function<std::shared_ptr<nn::Module>(Generator&)>;

Maker vgg(int depth) {
  return [depth](Generator& generator) { return std::make_shared<Vgg>(depth, 1000, generator); };
}

const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> table = {
      {"vgg19-normalized",
       [](Generator& generator) { return make_texture_vgg19(Pooling::average, generator); }},
      {"vgg11", vgg(11)},
      {"vgg13", vgg(13)},
      {"vgg16", vgg(16)},
      {"vgg19", vgg(19)},
  };
  return table;
}

}  // namespace

std::shared_ptr<nn::Module> make_model(const std::string& name) {
  const auto found = makers().find(name);
  if (found == makers().end()) {
    std::string known;
    for (const std::string& each : model_names()) known += (known.empty() ? "" : ", ") + each;
    throw Error(format("unknown architecture '{}' (known: {})", name, known));
  }
  Generator generator(0);
  return found->second(generator);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

}  // namespace gestalt::models
