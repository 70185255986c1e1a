#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace gestalt::models {

// Networks by name, with seeded random weights, for checking and loading state dicts:
// vgg19-normalized, vgg11, vgg13, vgg16, vgg19. Throws Error with the list for any other name.
std::shared_ptr<nn::Module> make_model(const std::string& name);
std::vector<std::string> model_names();

}  // namespace gestalt::models
