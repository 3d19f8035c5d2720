#include "runtime/torch/operation_shapes.h"

#include <torch/csrc/jit/runtime/operator.h>

namespace lingua {

std::optional<OperationShape> find_operation(const std::string& name, const std::string& overload) {
  const auto found = torch::jit::findOperatorFor(c10::OperatorName(name, overload));
  if (found == nullptr || found->schema().is_varret()) return std::nullopt;
  return OperationShape{static_cast<std::int64_t>(found->schema().arguments().size()),
                        static_cast<std::int64_t>(found->schema().returns().size()),
                        found->schema().is_vararg()};
}

}  // namespace lingua
