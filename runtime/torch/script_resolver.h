#pragma once
// What names mean in the TorchScript text of our families: torch.NAME is aten::NAME, and
// lingua.NAME is an operation of ours (int8_ops.h).
//
// Internal to torch/.

#include <torch/csrc/jit/frontend/resolver.h>

#include <memory>
#include <string>

namespace lingua {

struct ScriptResolver : torch::jit::NativeResolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction& function,
      const torch::jit::SourceRange& place) override {
    if (name == "lingua") return std::make_shared<torch::jit::BuiltinModule>("lingua");
    return NativeResolver::resolveValue(name, function, place);
  }
};

}  // namespace lingua
