// Files that PyTorch 2.6 wrote, against what it computes: tests/torch/golden/make_torchscript.py.

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/base/files.h"
#include "runtime/partition/partition.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

at::Tensor tensor_of(const nlohmann::json& json) {
  const std::string bytes = from_hex(json["data"]);
  const auto type = to_scalar_type(parse_dtype(json["dtype"]));
  at::Tensor tensor = at::empty(json["shape"].get<std::vector<std::int64_t>>(), at::dtype(type));
  EXPECT_EQ(tensor.nbytes(), bytes.size());
  std::memcpy(tensor.data_ptr(), bytes.data(), std::min(bytes.size(), tensor.nbytes()));
  return tensor;
}

std::vector<at::Tensor> tensors_of(const nlohmann::json& json) {
  std::vector<at::Tensor> tensors;
  for (const auto& element : json) tensors.push_back(tensor_of(element));
  return tensors;
}

nlohmann::json cases() {
  return nlohmann::json::parse(read_file(LINGUA_TORCH_GOLDEN "/torchscript.json"))["cases"];
}

// A difference of the last digits, of the type that a result has.
double tolerance(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16 ? 1e-2
         : tensor.scalar_type() == at::kDouble ? 1e-12
                                               : 2e-6;
}

void expect_close(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& expected) {
  ASSERT_EQ(outputs.size(), expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_EQ(outputs[i].sizes(), expected[i].sizes());
    ASSERT_EQ(outputs[i].scalar_type(), expected[i].scalar_type());
    EXPECT_TRUE(at::allclose(outputs[i], expected[i], tolerance(expected[i]),
                             tolerance(expected[i]), /*equal_nan=*/true))
        << "output " << i << ":\n"
        << outputs[i] << "\nexpected:\n"
        << expected[i];
  }
}

class ScriptGolden : public ::testing::TestWithParam<std::string> {
 protected:
  ScriptGolden() {
    std::ofstream(file_, std::ios::binary) << from_hex(golden_["archive"]);
    options_.inputs = golden_["input_texts"].get<std::vector<std::string>>();
  }

  const nlohmann::json golden_ = cases()[GetParam()];
  const std::vector<at::Tensor> inputs_ = tensors_of(golden_["inputs"]);
  const std::vector<at::Tensor> expected_ = tensors_of(golden_["outputs"]);
  TemporaryFolder folder_;
  std::string file_ = folder_.file("model.pt");
  ImportOptions options_;
};

TEST_P(ScriptGolden, GivesInPiecesWhatPyTorch2Computes) {
  ImportedModel model = import_model(file_, options_);
  PartitionOptions cuts;
  for (const bool recompute_norms : {false, true}) {
    cuts.recompute_norms = recompute_norms;
    testing::SplitModel split(model, partition(model.graph, cuts));
    expect_close(split.run({}, inputs_), expected_);
  }
}

TEST_P(ScriptGolden, GivesUnsplitWhatPyTorch2Computes) {
  std::vector<Tensor> inputs;
  for (const at::Tensor& input : inputs_) inputs.push_back(from_torch(input));
  const auto passes = run_reference(file_, options_, {inputs}, {1}, 1);
  ASSERT_EQ(passes.size(), 1U);
  std::vector<at::Tensor> outputs;
  for (const Tensor& output : passes[0].outputs) outputs.push_back(to_torch(output));
  expect_close(outputs, expected_);
}

std::vector<std::string> names() {
  const nlohmann::json file = cases();
  std::vector<std::string> all;
  for (const auto& [name, golden] : file.items()) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(PyTorch2, ScriptGolden, ::testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lingua
