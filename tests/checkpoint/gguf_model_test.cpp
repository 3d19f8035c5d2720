#include "runtime/checkpoint/gguf_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/checkpoint/json.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/memory_file.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Writer = testing::GgufWriter;

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<float> read_floats(const StoredWeights& weights, const std::string& name) {
  const WeightSpec& spec = *weights.find(name);
  std::vector<float> values(static_cast<std::size_t>(spec.bytes()) / sizeof(float));
  weights.read(name, 0, spec.bytes(), reinterpret_cast<std::byte*>(values.data()));
  return values;
}

// Each is a checkpoint and the GGUF file that llama.cpp makes of it; golden/README.md says how.
class ConvertedModel : public ::testing::TestWithParam<const char*> {
 protected:
  ConvertedModel() {
    const std::string path = std::string(LINGUA_GOLDEN "/gguf_models/") + GetParam() + ".json";
    golden_ = parse_json(read_file(path), path, 5);
    file_.write(from_hex(golden_.at("gguf")));
  }
  json golden_;
  testing::MemoryFile file_;
};

TEST_P(ConvertedModel, HasTheConfigOfItsCheckpoint) {
  const json config = config_of(Gguf(file_.path()));
  // Mistral is Llama to GGUF.
  const bool mistral = golden_.at("model_type") == "mistral";
  EXPECT_EQ(config.at("model_type"), mistral ? "llama" : golden_.at("model_type"));
  if (!mistral) {
    EXPECT_EQ(config.at("architectures"), golden_.at("architectures"));
  }
  int compared = 0;
  for (const auto& [field, expected] : golden_.at("config").items()) {
    const json all_full(std::vector<std::string>(config.at("num_hidden_layers"), "full_attention"));
    const bool is_default = expected.is_null() || (field == "layer_types" && expected == all_full);
    if (is_default && (!config.contains(field) || field == "head_dim")) continue;
    ASSERT_TRUE(config.contains(field)) << field;
    EXPECT_EQ(config.at(field), expected) << field;
    ++compared;
  }
  EXPECT_GT(compared, 12);
  EXPECT_EQ(config.at("tie_word_embeddings"), !golden_.at("tensors").contains("lm_head.weight"));
}

TEST_P(ConvertedModel, HasTheWeightsOfItsCheckpoint) {
  const Gguf file(file_.path());
  const auto weights = weights_of(file);
  EXPECT_EQ(weights->path(), file_.path());
  const bool shifted = golden_.at("model_type") == "gemma3_text";
  for (const auto& [name, expected] : golden_.at("tensors").items()) {
    ASSERT_NE(weights->find(name), nullptr) << name;
    EXPECT_EQ(
        *weights->find(name),
        (WeightSpec{name, DType::kFloat32, expected.at("shape").get<std::vector<std::int64_t>>()}));
    const std::vector<float> got = read_floats(*weights, name);
    const std::string bytes = from_hex(expected.at("float32"));
    ASSERT_EQ(bytes.size(), got.size() * sizeof(float));
    std::vector<float> values(got.size());
    std::memcpy(values.data(), bytes.data(), bytes.size());
    // 1 + w is rounded to float32 in the file: by at most half a unit of numbers from 2 to 4.
    const float tolerance = shifted && name.ends_with("norm.weight") ? 0x1.0p-23F : 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_LE(std::abs(got[i] - values[i]), tolerance) << name << " " << i;
    }
  }
  // As many as the file has: the rotary scaling is in the config.
  const bool scaled = file.find("rope_freqs.weight") != nullptr;
  EXPECT_EQ(file.names().size() - (scaled ? 1 : 0), golden_.at("tensors").size());
  EXPECT_EQ(weights->find("rope_freqs.weight"), nullptr);
}

INSTANTIATE_TEST_SUITE_P(All, ConvertedModel,
                         ::testing::Values("llama", "llama-biases-tied", "llama3", "mistral",
                                           "qwen2", "qwen3", "gemma3", "gemma3-scaled"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

class GgufModel : public ::testing::Test {
 protected:
  // Metadata and tensors of a small model with heads of 4; `change` may add to them or, by name of
  // key, replace them.
  std::string small(
      const std::string& architecture, const std::function<void(Writer&)>& add = [](Writer&) {},
      const std::string& without = "") const {
    Writer writer;
    writer.text("general.architecture", architecture);
    const std::pair<const char*, std::uint32_t> sizes[] = {
        {"block_count", 1},          {"context_length", 64},      {"embedding_length", 8},
        {"feed_forward_length", 12}, {"attention.head_count", 2}, {"attention.sliding_window", 16}};
    for (const auto& [key, value] : sizes) {
      if (key != without) writer.integer(architecture + "." + key, value);
    }
    writer.number(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
    if (without != "token_embd.weight") writer.floats("token_embd.weight", {8, 5}, counting(40));
    add(writer);
    return writer.file();
  }

  static std::vector<float> counting(std::size_t count) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
    return values;
  }

  std::string refusal(const std::string& bytes) const {
    file_.write(bytes);
    try {
      const Gguf file(file_.path());
      config_of(file);
      weights_of(file);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  json config(const std::string& bytes) const {
    file_.write(bytes);
    return config_of(Gguf(file_.path()));
  }

  testing::MemoryFile file_;
};

TEST_F(GgufModel, GivesAnyRangeOfReorderedRows) {
  const auto add = [](Writer& writer) {
    writer.floats("blk.0.attn_q.weight", {8, 8}, counting(64));
  };
  file_.write(small("llama", add));
  const Gguf file(file_.path());
  const auto weights = weights_of(file);
  const std::string name = "model.layers.0.self_attn.q_proj.weight";
  const std::vector<float> whole = read_floats(*weights, name);
  // Rows 0, 2, 1, 3 of a head of 4, then of the other.
  std::vector<float> first;
  for (std::size_t row = 0; row < 8; ++row) first.push_back(whole[row * 8]);
  EXPECT_THAT(first, ElementsAre(0, 16, 8, 24, 32, 48, 40, 56));
  Rng rng(5);
  for (int i = 0; i < 200; ++i) {
    const auto begin = static_cast<std::int64_t>(rng.below(64));
    const auto count = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(65 - begin)));
    std::vector<float> part(static_cast<std::size_t>(count));
    weights->read(name, begin * 4, count * 4, reinterpret_cast<std::byte*>(part.data()));
    ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + begin)) << begin;
  }
}

TEST_F(GgufModel, GivesNumbersAsPeopleWroteThem) {
  EXPECT_EQ(config(small("llama")).at("rms_norm_eps").dump(), "1e-06");
  EXPECT_EQ(config(small("llama")).at("rope_theta"), 10000.0);
  const auto whole = [](Writer& writer) { writer.integer("llama.rope.freq_base", 500000); };
  EXPECT_EQ(config(small("llama", whole)).at("rope_theta"), 500000.0);
}

TEST_F(GgufModel, StopsAtTheEndOfTheSequenceAndOfTheTurn) {
  EXPECT_FALSE(config(small("llama")).contains("eos_token_id"));
  const auto both = [](Writer& writer) {
    writer.integer("tokenizer.ggml.eos_token_id", 1).integer("tokenizer.ggml.eot_token_id", 4);
  };
  EXPECT_EQ(config(small("llama", both)).at("eos_token_id"), json({1, 4}));
  const auto same = [](Writer& writer) {
    writer.integer("tokenizer.ggml.eos_token_id", 4).integer("tokenizer.ggml.eot_token_id", 4);
  };
  EXPECT_EQ(config(small("llama", same)).at("eos_token_id"), 4);
  const auto beyond = [](Writer& writer) { writer.integer("tokenizer.ggml.eos_token_id", 5); };
  EXPECT_THAT(refusal(small("llama", beyond)),
              AllOf(HasSubstr("eos_token_id"), HasSubstr("from 0 to 4")));
}

TEST_F(GgufModel, HonoursTheWindowsThatTheFileSays) {
  const json usual = config(small("gemma3"));
  EXPECT_EQ(usual.at("sliding_window"), 16);
  EXPECT_EQ(usual.at("layer_types"), json({"sliding_attention"}));
  const json without = config(small(
      "gemma3", [](Writer&) {}, "attention.sliding_window"));
  EXPECT_EQ(without.at("layer_types"), json({"full_attention"}));
  const auto period = [](Writer& w) { w.integer("gemma3.attention.sliding_window_pattern", 1); };
  EXPECT_EQ(config(small("gemma3", period)).at("layer_types"), json({"full_attention"}));
  const auto list = [](Writer& writer) {
    writer.list<std::uint8_t>("gemma3.attention.sliding_window_pattern", Writer::kBool, {0});
  };
  EXPECT_EQ(config(small("gemma3", list)).at("layer_types"), json({"full_attention"}));
  const auto two = [](Writer& writer) {
    writer.list<std::uint8_t>("gemma3.attention.sliding_window_pattern", Writer::kBool, {0, 1});
  };
  EXPECT_THAT(refusal(small("gemma3", two)), HasSubstr("2 entries for 1 layers"));
}

TEST_F(GgufModel, IsRefusedWhenTheFileHoldsSomethingElse) {
  const auto said = [&](const std::string& bytes) -> std::string {
    file_.write(bytes);
    try {
      check_holds_model(Gguf(file_.path()));
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const auto text = [](const char* key, const char* value) {
    return [=](Writer& writer) { writer.text(key, value); };
  };
  EXPECT_EQ(said(small("llama")), "");
  EXPECT_EQ(said(small("llama", text("general.type", "model"))), "");
  EXPECT_THAT(said(small("llama", text("general.type", "adapter"))), HasSubstr("LoRA"));
  EXPECT_THAT(said(small("clip", text("general.type", "mmproj"))), HasSubstr("'mmproj'"));
  EXPECT_THAT(said(small(
                  "llama", [](Writer&) {}, "token_embd.weight")),
              HasSubstr("no tensors"));
  const auto part = [](Writer& writer) { writer.integer("split.no", 1).integer("split.count", 3); };
  EXPECT_THAT(said(small("llama", part, "token_embd.weight")), HasSubstr("part 2 of 3"));
  const auto named = [](Writer& writer) {
    writer.floats("model.layers.0.self_attn.q_proj.weight", {8, 8}, counting(64));
  };
  EXPECT_THAT(said(small("llama", named)),
              AllOf(HasSubstr("'model.layers.0.self_attn.q_proj.weight'"),
                    HasSubstr("'blk.0.attn_q.weight'"), HasSubstr("convert_hf_to_gguf.py")));
}

TEST_F(GgufModel, ComputesInTheDtypeOfMostOfItsElements) {
  const auto own = [&](std::uint32_t type, std::uint64_t rows, const std::string& row) {
    std::string data;
    for (std::uint64_t i = 0; i < rows; ++i) data += row;
    file_.write(small("llama", [&](Writer& writer) {
      writer.tensor("blk.0.ffn_up.weight", type, {32, rows}, data);
    }));
    const Gguf file(file_.path());
    EXPECT_EQ(file.own_dtype(), weights_of(file)->own_dtype());
    return file.own_dtype();
  };
  EXPECT_EQ(own(0, 3, std::string(128, '\0')), DType::kFloat32);
  EXPECT_EQ(own(1, 3, std::string(64, '\0')), DType::kBFloat16) << "F16, beside 40 of float32";
  EXPECT_EQ(own(30, 3, std::string(64, '\0')), DType::kBFloat16) << "BF16";
  EXPECT_EQ(own(8, 3, std::string(34, '\0')), DType::kBFloat16) << "Q8_0";
  EXPECT_EQ(own(8, 1, std::string(34, '\0')), DType::kFloat32) << "fewer than those of float32";
}

TEST_F(GgufModel, IsRefusedWhenItsArchitectureIsNotSupported) {
  EXPECT_THAT(refusal(small("mamba")),
              AllOf(HasSubstr("'mamba'"), HasSubstr("llama, qwen2, qwen3, gemma3")));
  EXPECT_THAT(refusal(Writer().file()), HasSubstr("'general.architecture' is missing"));
  const auto experts = [](Writer& writer) { writer.integer("llama.expert_count", 8); };
  EXPECT_THAT(refusal(small("llama", experts)), HasSubstr("mixtures of experts"));
  const auto split = [](Writer& writer) { writer.integer("split.count", 3); };
  EXPECT_THAT(refusal(small("llama", split)), HasSubstr("several files"));
  const auto merged = [](Writer& writer) { writer.integer("split.count", 0); };
  EXPECT_EQ(refusal(small("llama", merged)), "");
  const auto longrope = [](Writer& writer) { writer.text("qwen2.rope.scaling.type", "longrope"); };
  EXPECT_THAT(refusal(small("qwen2", longrope)),
              AllOf(HasSubstr("'longrope'"), HasSubstr("'linear'")));
  const auto partial = [](Writer& writer) { writer.integer("llama.rope.dimension_count", 2); };
  EXPECT_THAT(refusal(small("llama", partial)), HasSubstr("rope.dimension_count"));
}

TEST_F(GgufModel, MayHaveTheScalingOfYarn) {
  const auto yarn = [](const std::string& architecture, const std::string& key, float value) {
    return [=](Writer& writer) {
      const std::string scaling = architecture + ".rope.scaling.";
      writer.text(scaling + "type", "yarn").number(scaling + "factor", 4);
      writer.integer(scaling + "original_context_length", 16).number(scaling + key, value);
    };
  };
  EXPECT_EQ(config(small("qwen2", yarn("qwen2", "yarn_beta_fast", 16))).at("rope_scaling"),
            (json{{"rope_type", "yarn"},
                  {"factor", 4.0},
                  {"original_max_position_embeddings", 16},
                  {"beta_fast", 16.0}}));
  EXPECT_EQ(refusal(small("llama", yarn("llama", "attn_factor", 1))), "");
  EXPECT_THAT(refusal(small("llama", yarn("llama", "attn_factor", 0.5))),
              AllOf(HasSubstr("'llama.rope.scaling.attn_factor'"), HasSubstr("0.5")));
  EXPECT_THAT(refusal(small("llama", yarn("llama", "yarn_log_multiplier", 0.1F))),
              HasSubstr("'llama.rope.scaling.yarn_log_multiplier'"));
  EXPECT_THAT(refusal(small("gemma3", yarn("gemma3", "yarn_beta_fast", 16))), HasSubstr("'yarn'"));
}

TEST_F(GgufModel, MayListASizeForEachLayerWhereAllAreEqual) {
  constexpr std::uint32_t kUint32 = 4;
  const auto list = [](const std::string& key, std::vector<std::uint32_t> values) {
    return [=](Writer& writer) { writer.list("llama." + key, kUint32, values); };
  };
  EXPECT_EQ(config(small("llama", list("attention.head_count_kv", {1}))).at("num_key_value_heads"),
            1);
  const auto heads = list("attention.head_count", {2});
  EXPECT_EQ(config(small("llama", heads, "attention.head_count")).at("num_attention_heads"), 2);
  const auto inner = list("feed_forward_length", {12});
  EXPECT_EQ(config(small("llama", inner, "feed_forward_length")).at("intermediate_size"), 12);
  EXPECT_THAT(refusal(small("llama", list("attention.head_count_kv", {1, 1}))),
              AllOf(HasSubstr("'llama.attention.head_count_kv'"), HasSubstr("2 entries for 1")));
  EXPECT_THAT(refusal(small("llama", list("attention.head_count_kv", {3}))),
              HasSubstr("3 is not an integer from 1 to 2"));
  const auto two = [&](std::vector<std::uint32_t> of_layers) {
    return [=](Writer& writer) {
      writer.integer("llama.block_count", 2);
      writer.list("llama.attention.head_count_kv", kUint32, of_layers);
    };
  };
  EXPECT_EQ(config(small("llama", two({1, 1}), "block_count")).at("num_key_value_heads"), 1);
  EXPECT_THAT(refusal(small("llama", two({1, 2}), "block_count")),
              HasSubstr("has 1 for layer 0 and 2 for layer 1"));
}

TEST_F(GgufModel, IsRefusedWithAScalingThatIsNotLlama3s) {
  const auto with = [](const std::vector<float>& divisors) {
    return [=](Writer& writer) { writer.floats("rope_freqs.weight", {divisors.size()}, divisors); };
  };
  EXPECT_EQ(config(small("llama", with({1, 1}))).at("rope_scaling"), nullptr);
  EXPECT_THAT(refusal(small("llama", with({1, 2}))),
              AllOf(HasSubstr("'rope_freqs.weight'"), HasSubstr("Llama 3")));
  EXPECT_THAT(refusal(small("llama", with({1, NAN}))), HasSubstr("nan"));
  EXPECT_THAT(refusal(small("llama", with({1, 0}))), HasSubstr("Llama 3"));
  EXPECT_THAT(refusal(small("llama", with({1, 1, 1}))), HasSubstr("list of 2 numbers"));
  const auto both = [](Writer& writer) {
    writer.number("llama.rope.scaling.factor", 4).floats("rope_freqs.weight", {2}, {1, 1});
  };
  EXPECT_THAT(refusal(small("llama", both)), HasSubstr("contradicts"));
}

TEST_F(GgufModel, IsRefusedWhenKeysAreMissingOrMakeNoSense) {
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"}) {
    EXPECT_THAT(refusal(small(
                    "llama", [](Writer&) {}, key)),
                AllOf(HasSubstr(key), HasSubstr("missing")));
  }
  EXPECT_THAT(refusal(small(
                  "llama", [](Writer&) {}, "token_embd.weight")),
              HasSubstr("'token_embd.weight'"));
  const auto set = [&](const std::string& key, std::uint32_t value) {
    return refusal(small(
        "llama", [&](Writer& writer) { writer.integer("llama." + key, value); }, key));
  };
  EXPECT_THAT(set("block_count", 0), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(set("block_count", UINT32_MAX), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(set("attention.head_count", 0), HasSubstr("head_count': 0"));
  EXPECT_THAT(set("attention.head_count", 9), HasSubstr("from 1 to 8"));
  EXPECT_THAT(set("attention.head_count_kv", 3), HasSubstr("from 1 to 2"));
  EXPECT_THAT(set("attention.key_length", 3), HasSubstr("even number"));
  EXPECT_THAT(set("attention.value_length", 6), HasSubstr("6 is not supported"));
  EXPECT_THAT(set("embedding_length", 16), HasSubstr("tokens x 16"));
}

TEST_F(GgufModel, IsRefusedWithTensorsThatSuchAModelHasNot) {
  const auto with = [](const std::string& name, const std::vector<std::uint64_t>& dims) {
    return [=](Writer& writer) { writer.floats(name, dims, counting(dims[0] * dims[1])); };
  };
  for (const char* name :
       {"blk.0.attn_q_norm.weight", "blk.0.attn_norm.bias", "blk.1.attn_q.weight",
        "blk.00.attn_q.weight", "blk..attn_q.weight", "blk.0.attn_q", "cls.weight",
        "blk.99999999999999999999.attn_q.weight"}) {
    EXPECT_THAT(refusal(small("llama", with(name, {8, 8}))),
                AllOf(HasSubstr(name), HasSubstr("is not a part")));
  }
  EXPECT_THAT(refusal(small("llama", with("blk.0.attn_q.weight", {8, 7}))),
              HasSubstr("has no 8 rows"));
  const auto half = [](Writer& writer) {
    writer.tensor("output_norm.weight", 1, {8}, std::string(16, 'x'));
  };
  EXPECT_EQ(refusal(small("llama", half)), "");
  EXPECT_THAT(refusal(small("gemma3", half)), AllOf(HasSubstr("float16"), HasSubstr("float32")));
}

}  // namespace
}  // namespace lingua
