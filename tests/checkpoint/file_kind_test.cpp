#include "runtime/checkpoint/file_kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/gguf.h"
#include "runtime/checkpoint/gguf_model.h"
#include "runtime/checkpoint/json.h"
#include "runtime/checkpoint/safetensors.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 548118077\n";

// What torch, numpy and others write: golden/make_file_kinds.py.
std::string made(const std::string& name) {
  static const auto golden =
      nlohmann::json::parse(read_file(fs::path(LINGUA_GOLDEN) / "file_kinds.json"));
  const auto hex = golden.at("files").at(name).get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

class FileKinds : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder_.file(name);
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  FileFacts facts(const std::string& bytes) const { return identify_file(write("file", bytes)); }
  const fs::path& folder() const { return folder_.path(); }

  TemporaryFolder folder_;
};

TEST_F(FileKinds, OfWhatOtherProgramsWriteAreKnown) {
  const std::map<std::string, std::pair<FileKind, const char*>> expected = {
      {"torch-pickle", {FileKind::kTorchPickle, "save_pretrained"}},
      {"torch-pickle-cut", {FileKind::kArchive, "cut short"}},
      {"torch-pickle-old", {FileKind::kTorchPickle, "pickle"}},
      {"torchscript", {FileKind::kTorchScript, "TorchScript"}},
      {"safetensors", {FileKind::kSafetensors, "safetensors"}},
      {"gguf", {FileKind::kGguf, "GGUF"}},
      {"tar", {FileKind::kArchive, "tar"}},
      {"zip", {FileKind::kArchive, "ZIP"}},
      {"gzip", {FileKind::kArchive, "gzip"}},
      {"bzip2", {FileKind::kArchive, "bzip2"}},
      {"xz", {FileKind::kArchive, "xz"}},
      {"npy", {FileKind::kOther, "NumPy"}},
      {"npz", {FileKind::kOther, "NumPy"}},
  };
  for (const auto& [name, kind] : expected) {
    const FileFacts found = facts(made(name));
    EXPECT_EQ(found.kind, kind.first) << name << ": " << found.words;
    EXPECT_THAT(found.words, HasSubstr(kind.second)) << name;
  }
}

TEST_F(FileKinds, OfTextsThatStandForAFileAreKnown) {
  EXPECT_THAT(facts(kPointer).words, AllOf(HasSubstr("Git LFS pointer"), HasSubstr("548118077"),
                                           HasSubstr("git lfs pull")));
  for (const char* page : {"<!DOCTYPE html>\n<html>", "<html lang=en>", "\n\n <!doctype HTML>",
                           "<!-- x --><HTML><head>"}) {
    EXPECT_EQ(facts(page).kind, FileKind::kHtml) << page;
  }
  EXPECT_THAT(facts("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>").words,
              HasSubstr("XML"));
  EXPECT_THAT(facts("Entry not found").words, HasSubstr("'Entry not found'"));
  EXPECT_EQ(facts("{\"error\": 1}").kind, FileKind::kJson);
  EXPECT_EQ(facts("").kind, FileKind::kEmpty);
  EXPECT_EQ(facts(" \n\n").kind, FileKind::kEmpty);
  EXPECT_THAT(facts(std::string(5000, '\0')).words, HasSubstr("zeros"));
  EXPECT_THAT(facts("tjgg\x01").words, HasSubstr("before GGUF"));
  EXPECT_THAT(facts("\x02\x01\xfe\x80x").words, HasSubstr("02 01 fe 80"));
}

TEST_F(FileKinds, OfWhatIsNoFileAreSaid) {
  EXPECT_THAT(identify_file(folder()).words, HasSubstr("folder"));
  EXPECT_THAT(identify_file(folder() / "none").words, HasSubstr("does not exist"));
  fs::create_symlink("../../blobs/0123", folder() / "model.safetensors");
  EXPECT_THAT(identify_file(folder() / "model.safetensors").words,
              AllOf(HasSubstr("link"), HasSubstr("blobs/0123")));
  EXPECT_THAT(why_no_weights(folder()), AllOf(HasSubstr("model.safetensors"), HasSubstr("link")));
}

TEST_F(FileKinds, NameTheFolderOfAFileThatIsAPartOfAModel) {
  write("config.json", "{}");
  const std::string place = folder().string();
  EXPECT_THAT(why_no_model_file(write("model.safetensors", made("safetensors"))),
              HasSubstr("give its folder: " + place));
  EXPECT_THAT(why_no_model_file(folder() / "config.json"), HasSubstr("give its folder: " + place));
  EXPECT_THAT(why_no_model_file(write("pytorch_model.bin", made("torch-pickle"))),
              AllOf(HasSubstr("pickle"), HasSubstr("safetensors")));
  EXPECT_EQ(why_no_model_file(write("model.pt", made("torchscript"))), "");
}

TEST_F(FileKinds, SayWhatAFolderWithoutAConfigHolds) {
  EXPECT_THAT(why_no_config(folder()), HasSubstr("is empty"));
  write("snapshots/abc/config.json", "{}");
  EXPECT_THAT(why_no_config(folder()), HasSubstr((folder() / "snapshots/abc").string()));
  write("inner/config.json", "{}");
  EXPECT_THAT(why_no_config(folder()), HasSubstr((folder() / "inner").string()));
  write("adapter_config.json", R"({"base_model_name_or_path": "org/base"})");
  EXPECT_THAT(why_no_config(folder()), AllOf(HasSubstr("LoRA"), HasSubstr("'org/base'")));
}

TEST_F(FileKinds, SayWhatAFolderHoldsInsteadOfSafetensors) {
  EXPECT_EQ(why_no_weights(folder()), "");
  write("tf_model.h5", "x");
  EXPECT_THAT(why_no_weights(folder()), HasSubstr("'tf_model.h5'"));
  write("pytorch_model.bin", made("torch-pickle"));
  EXPECT_THAT(why_no_weights(folder()),
              AllOf(HasSubstr("'pytorch_model.bin'"), HasSubstr("pickle")));
  write("pytorch_model.bin", kPointer);
  EXPECT_THAT(why_no_weights(folder()), HasSubstr("LFS"));
  write("model.q4.gguf", made("gguf"));
  EXPECT_THAT(why_no_weights(folder()), HasSubstr((folder() / "model.q4.gguf").string()));
  write("model.safetensors.incomplete", "x");
  EXPECT_THAT(why_no_weights(folder()), HasSubstr("did not end"));
}

TEST_F(FileKinds, AreSaidWhereSafetensorsAndJsonWereMeant) {
  for (const auto& [bytes, words] :
       std::map<std::string, const char*>{{kPointer, "Git LFS"},
                                          {"<html>", "web page"},
                                          {"", "empty"},
                                          {made("gzip"), "gzip"},
                                          {made("torch-pickle"), "pickle"},
                                          {"Entry not found", "Entry not found"}}) {
    const fs::path path = write("model.safetensors", bytes);
    try {
      const Checkpoint checkpoint(folder());
      ADD_FAILURE() << words;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), AllOf(StartsWith(path.string()), HasSubstr(words),
                                      HasSubstr("safetensors file is needed")));
    }
  }
  for (const std::string text : {kPointer, "<html></html>", ""}) {
    try {
      parse_json(text, "config.json", 8);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("JSON is needed"));
    }
  }
}

class ShardFiles : public FileKinds {
 protected:
  void shard(int index, int count, const std::string& tensor, DType dtype = DType::kFloat32,
             std::int64_t elements = 2) const {
    const std::vector<std::byte> zeros(static_cast<std::size_t>(elements * dtype_bytes(dtype)));
    write_safetensors(folder() / fmt::format("model-{:05}-of-{:05}.safetensors", index, count),
                      {{tensor, dtype, {elements}}},
                      [&](const WeightSpec&, const AppendBytes& append) {
                        append(zeros.data(), static_cast<std::int64_t>(zeros.size()));
                      });
  }
  std::string refusal() const {
    try {
      const Checkpoint checkpoint(folder());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(ShardFiles, AreReadWithoutAnIndexWhenAllAreThere) {
  shard(1, 2, "a");
  EXPECT_TRUE(Checkpoint::is_in(folder()));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("one of 2"), HasSubstr("model-00002-of-00002.safetensors")));
  shard(2, 2, "b");
  const Checkpoint both(folder());
  EXPECT_NE(both.find("a"), nullptr);
  EXPECT_NE(both.find("b"), nullptr);
  shard(3, 4, "c");
  EXPECT_THAT(refusal(), HasSubstr("model-00003-of-00004.safetensors"));
}

TEST_F(ShardFiles, OfTwoWithOneTensorTwiceAreRefused) {
  shard(1, 2, "a");
  shard(2, 2, "a");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("'a'"), HasSubstr("another file")));
}

TEST_F(ShardFiles, ThatAnIndexNamesAndTheFolderLacksAreAllNamed) {
  shard(1, 3, "a");
  write("model.safetensors.index.json",
        R"({"weight_map": {"a": "model-00001-of-00003.safetensors",
            "b": "model-00002-of-00003.safetensors", "c": "model-00003-of-00003.safetensors"}})");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("names 3 files, of which 2 are missing"),
                    HasSubstr("model-00002-of-00003"), HasSubstr("model-00003-of-00003")));
}

TEST_F(ShardFiles, ComputeInTheDtypeOfMostOfTheirElements) {
  const auto own = [&] { return Checkpoint(folder()).own_dtype(); };
  shard(1, 1, "a");
  EXPECT_EQ(own(), DType::kFloat32);
  shard(1, 1, "a", DType::kFloat64);
  EXPECT_EQ(own(), DType::kFloat32);
  shard(1, 1, "a", DType::kFloat16);
  EXPECT_EQ(own(), DType::kBFloat16);
  shard(1, 3, "a", DType::kBFloat16, 100);
  fs::remove(folder() / "model-00001-of-00001.safetensors");
  shard(2, 3, "b", DType::kFloat32, 99);
  shard(3, 3, "c", DType::kInt32, 1000);
  EXPECT_EQ(own(), DType::kBFloat16) << "norms in float32 beside matrices in bfloat16";
  shard(2, 3, "b", DType::kFloat32, 100);
  EXPECT_EQ(own(), DType::kFloat32);
}

}  // namespace
}  // namespace lingua
