// What a worker does with programs, with none of the checks before them: confined_program free|confined FOLDER
//
// One line for each function, as "NAME: what came of it", in a process that has prepared itself as a
// worker does. `read` and `write` are for FOLDER/kept and FOLDER/made.

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/base/cores.h"
#include "runtime/torch/torch_error.h"
#include "runtime/torch/torch_executor.h"
#include "runtime/trust/confine.h"

namespace {

constexpr const char* kProgram = R"(
def product(self, x):
    return torch.matmul(x, x.t())
def attention(self, x):
    return torch.matmul(torch.softmax(torch.matmul(x, x.t()), -1), x)
def convolution(self, x):
    image = x.reshape(1, 4, 32, 128)
    return torch.conv2d(image, x[:72].reshape(-1)[:288].reshape(8, 4, 3, 3), None, [1, 1], [1, 1])
def recurrence(self, x):
    steps = x.reshape(8, 32, 64)
    state = torch.zeros([1, 32, 16], dtype=x.dtype)
    weights = [x[:64, :64].contiguous(), x[:64, :16].contiguous(), x[0, :64], x[1, :64]]
    return torch.lstm(steps, [state, state], weights, True, 1, 0.0, False, False, False)[0]
def activation(self, x):
    y = torch.layer_norm(torch.gelu(x), [128])
    return torch.cat([y * torch.sigmoid(y), torch.cumsum(y, 0)])
def read(self, path: str):
    return torch.from_file(path, False, 6, dtype=0)  # uint8
def write(self, x, path: str):
    torch.save(x, path)
    return x
)";

using Stack = std::vector<c10::IValue>;

// Values that no seed is needed for.
at::Tensor values(at::ScalarType dtype) {
  return at::arange(128 * 128, at::kFloat).mul_(0.37).sin_().reshape({128, 128}).to(dtype);
}

std::string digest(const at::Tensor& tensor) {
  const at::Tensor whole = tensor.contiguous();
  const std::string_view bytes(static_cast<const char*>(whole.data_ptr()), whole.nbytes());
  return fmt::format("{:016x}", std::hash<std::string_view>{}(bytes));
}

void call(torch::jit::Module& module, const std::string& name, const Stack& arguments,
          const std::string& label) {
  std::string result;
  try {
    result = digest(module.get_method(name)(arguments).toTensor());
  } catch (const std::exception& error) {
    result = fmt::format("refused: {}", lingua::first_line(error));
  }
  fmt::print("{}: {}\n", label, result);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc == 3 ? argv[2] : ".";
  const lingua::Cores all = lingua::allowed_cores();
  lingua::compute_on(all);
  const auto executor = lingua::make_torch_executor();
  torch::jit::Module module("__torch__.Model");
  module.define(kProgram);
  if (argc == 3 && std::string_view(argv[1]) == "confined") {
    const std::string missing = lingua::confine_process();
    if (!missing.empty()) fmt::print("missing: {}\n", missing);
  }
  const c10::InferenceMode no_autograd;
  executor->compute_with({2});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const char* name : {"product", "attention", "convolution", "recurrence", "activation"}) {
      call(module, name, {values(dtype)}, fmt::format("{} in {}", name, c10::toString(dtype)));
    }
  }
  executor->compute_with({1, {all.back()}});
  const bool moved = lingua::allowed_cores() == lingua::Cores{all.back()};
  executor->compute_with({2});
  const bool came_back = lingua::allowed_cores() == all;
  fmt::print("computes on chosen cores: {}\n", moved && came_back);
  call(module, "read", {folder + "/kept"}, "read");
  call(module, "write", {values(at::kFloat), folder + "/made"}, "write");
}
