#include <dlfcn.h>

#include "runtime/base/module.h"
#include "runtime/torch/torch_part.h"

namespace lingua {
namespace {

const TorchPart& torch_part() {
  static const auto entry = reinterpret_cast<decltype(&lingua_torch_part)>(
      module_entry(LINGUA_TORCH_MODULE, "lingua_torch_part", RTLD_LAZY | RTLD_LOCAL));
  return *entry();
}

}  // namespace

std::filesystem::path torch_module() { return module_path(LINGUA_TORCH_MODULE); }

std::unique_ptr<Executor> make_torch_executor() { return torch_part().executor(); }

std::string slow_blas() { return torch_part().blas(); }

std::string onednn_trouble() { return torch_part().onednn(); }

ImportedModel import_model(const std::string& model, const ImportOptions& options) {
  return torch_part().import(model, options);
}

std::optional<DType> own_dtype(const std::string& model) { return torch_part().dtype(model); }

std::vector<ReferenceResult> generate_reference(
    const std::string& model, const ImportOptions& options,
    const std::vector<std::vector<std::int64_t>>& prompts, std::int64_t max_tokens, int threads,
    bool keep_logits, const ChooseToken& choose) {
  return torch_part().generate(model, options, prompts, max_tokens, threads, keep_logits, choose);
}

std::vector<ReferencePass> run_reference(const std::string& model, const ImportOptions& options,
                                         const std::vector<std::vector<Tensor>>& requests,
                                         const std::vector<std::int64_t>& new_tokens, int threads) {
  return torch_part().pass(model, options, requests, new_tokens, threads);
}

}  // namespace lingua
