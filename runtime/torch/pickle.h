#pragma once
// A pickle as LibTorch writes it, read without doing anything that it says: no class is looked up, no
// function called.
//
// Known are the instructions of LibTorch's own pickler (protocol 2); every other one is refused. What is
// read is bounded by the number of bytes. Errors: InputError says where in the bytes and what.
// Internal to torch/. Threads: any; the nodes live as long as the Pickle.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lingua {

struct PickleNode {
  enum class Kind {
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kTuple,
    kList,
    kDict,        // keys and values in turn
    kGlobal,      // text: "module name"
    kCall,        // of a global with a tuple, or an Enum's value: children are both
    kObject,      // of a global with a tuple, and what it was built from: three children, or two
    kPersistent,  // what the archive keeps elsewhere: one child
  };
  Kind kind = Kind::kNone;
  std::int64_t number = 0;  // kBool, kInt
  double real = 0;
  std::string text;
  std::vector<const PickleNode*> children;

  bool is(Kind other) const { return kind == other; }
};

class Pickle {
 public:
  explicit Pickle(std::string_view bytes);

  const PickleNode& value() const { return *value_; }
  // All there are, in the order in which they were made.
  const std::vector<std::unique_ptr<PickleNode>>& nodes() const { return nodes_; }

 private:
  class Reader;
  std::vector<std::unique_ptr<PickleNode>> nodes_;
  const PickleNode* value_ = nullptr;
};

}  // namespace lingua
