#include "runtime/torch/pickle.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using Kind = PickleNode::Kind;

// Instructions, by the names that Python's pickletools gives them.
enum Code : unsigned char {
  kMark = '(',
  kStop = '.',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kGlobal = 'c',
  kReduce = 'R',
  kBuild = 'b',
  kNewObject = 0x81,
  kBinPersistent = 'Q',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kProtocol = 0x80,
};

}  // namespace

// The machine of the format: a stack, marks on it, and a memo.
class Pickle::Reader {
 public:
  Reader(std::string_view bytes, std::vector<std::unique_ptr<PickleNode>>& nodes)
      : bytes_(bytes), nodes_(nodes) {}

  const PickleNode* run() {
    if (take(2) != std::string_view("\x80\x02", 2)) fail("it does not begin as a pickle");
    while (true) {
      const auto code = static_cast<unsigned char>(take(1).front());
      if (code == kStop) break;
      step(code);
    }
    if (at_ != bytes_.size()) fail("bytes follow its end");
    if (stack_.size() != 1 || !marks_.empty()) fail("it ends with other than one value");
    return stack_.back();
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw InputError(fmt::format("its pickle is damaged at byte {}: {}", at_, why));
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) fail("it is cut");
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }

  std::uint64_t little_endian(std::size_t count) {
    const std::string_view part = take(count);
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(part[i]);
    return value;
  }

  std::string line() {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) fail("it is cut");
    std::string text(take(end - at_));
    take(1);
    return text;
  }

  PickleNode* push(Kind kind) {
    constexpr std::size_t kMostNodes = 4 << 20;
    if (nodes_.size() == kMostNodes) fail("it holds too much");
    nodes_.push_back(std::make_unique<PickleNode>());
    PickleNode* node = nodes_.back().get();
    node->kind = kind;
    stack_.push_back(node);
    return node;
  }
  void push_number(Kind kind, std::int64_t number) { push(kind)->number = number; }

  PickleNode* pop() {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) {
      fail("it takes a value where none is");
    }
    PickleNode* node = stack_.back();
    stack_.pop_back();
    return node;
  }
  PickleNode* pop(Kind kind, const char* what) {
    PickleNode* node = pop();
    if (!node->is(kind)) fail(fmt::format("{} was expected", what));
    return node;
  }
  PickleNode* top(Kind kind, const char* what) {
    PickleNode* node = pop(kind, what);
    stack_.push_back(node);
    return node;
  }

  // What stands above the last mark, which goes.
  std::vector<const PickleNode*> pop_to_mark() {
    if (marks_.empty()) fail("it has no mark");
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<const PickleNode*> values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void make_tuple(std::size_t count) {
    std::vector<const PickleNode*> values(count);
    for (std::size_t i = count; i-- > 0;) values[i] = pop();
    push(Kind::kTuple)->children = std::move(values);
  }

  void put(std::uint64_t index) {
    if (stack_.empty()) fail("it remembers a value where none is");
    if (index > memo_.size())
      fail("it remembers values out of order");  // LibTorch makes room for all before
    memo_[index] = stack_.back();
  }
  void get(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail("it takes from memory what is not there");
    stack_.push_back(found->second);
  }

  static void add(PickleNode* to, const std::vector<const PickleNode*>& values) {
    to->children.insert(to->children.end(), values.begin(), values.end());
  }

  void call(Kind kind) {
    const PickleNode* arguments =
        kind == Kind::kCall ? pop() : pop(Kind::kTuple, "a tuple of arguments");
    const PickleNode* function = pop(Kind::kGlobal, "a name");
    push(kind)->children = {function, arguments};
  }

  void step(unsigned char code) {
    switch (code) {
      case kMark: marks_.push_back(stack_.size()); return;
      case kNone: push(Kind::kNone); return;
      case kNewTrue: push_number(Kind::kBool, 1); return;
      case kNewFalse: push_number(Kind::kBool, 0); return;
      case kBinInt: push_number(Kind::kInt, static_cast<std::int32_t>(little_endian(4))); return;
      case kBinInt1: push_number(Kind::kInt, static_cast<std::int64_t>(little_endian(1))); return;
      case kBinInt2: push_number(Kind::kInt, static_cast<std::int64_t>(little_endian(2))); return;
      case kLong1: push_number(Kind::kInt, long_integer()); return;
      case kBinFloat: push(Kind::kFloat)->real = big_endian_double(); return;
      case kBinUnicode: push(Kind::kText)->text = take(little_endian(4)); return;
      case kEmptyTuple: push(Kind::kTuple); return;
      case kTuple: {
        auto values = pop_to_mark();
        push(Kind::kTuple)->children = std::move(values);
        return;
      }
      case kTuple1: make_tuple(1); return;
      case kTuple2: make_tuple(2); return;
      case kTuple3: make_tuple(3); return;
      case kBinGet: get(little_endian(1)); return;
      case kLongBinGet: get(little_endian(4)); return;
      case kBinPut: put(little_endian(1)); return;
      case kLongBinPut: put(little_endian(4)); return;
      default: step_over_containers(code);
    }
  }

  void step_over_containers(unsigned char code) {
    switch (code) {
      case kEmptyList: push(Kind::kList); return;
      case kAppend: {
        const PickleNode* value = pop();
        add(top(Kind::kList, "a list"), {value});
        return;
      }
      case kAppends: {
        const auto values = pop_to_mark();
        add(top(Kind::kList, "a list"), values);
        return;
      }
      case kEmptyDict: push(Kind::kDict); return;
      case kSetItem: {
        const PickleNode* value = pop();
        const PickleNode* key = pop();
        add(top(Kind::kDict, "a dictionary"), {key, value});
        return;
      }
      case kSetItems: {
        const auto values = pop_to_mark();
        if (values.size() % 2 != 0) fail("a key has no value");
        add(top(Kind::kDict, "a dictionary"), values);
        return;
      }
      case kGlobal: {
        const std::string module = line();
        const std::string name = line();
        push(Kind::kGlobal)->text = module + " " + name;
        return;
      }
      case kReduce: call(Kind::kCall); return;
      case kNewObject: call(Kind::kObject); return;
      case kBuild: {
        const PickleNode* state = pop();
        PickleNode* object = top(Kind::kObject, "an object");
        if (object->children.size() != 2) fail("an object is built twice");
        object->children.push_back(state);
        return;
      }
      case kBinPersistent: {
        const PickleNode* what = pop();
        push(Kind::kPersistent)->children = {what};
        return;
      }
      default: fail(fmt::format("instruction 0x{:02x} is not one that LibTorch writes", code));
    }
  }

  std::int64_t long_integer() {
    const std::uint64_t count = little_endian(1);
    if (count > sizeof(std::int64_t)) fail("an integer is too large");
    if (count == 0) return 0;
    std::uint64_t value = little_endian(count);
    const bool negative = (value >> (8 * count - 1) & 1) != 0;
    if (negative && count < sizeof value) value |= ~std::uint64_t{0} << (8 * count);
    return static_cast<std::int64_t>(value);
  }

  double big_endian_double() {
    std::string part(take(sizeof(double)));
    std::uint64_t bits = 0;
    for (const char c : part) bits = bits << 8 | static_cast<unsigned char>(c);
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

  const std::string_view bytes_;
  std::vector<std::unique_ptr<PickleNode>>& nodes_;
  std::size_t at_ = 0;
  std::vector<PickleNode*> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, PickleNode*> memo_;
};

Pickle::Pickle(std::string_view bytes) { value_ = Reader(bytes, nodes_).run(); }

}  // namespace lingua
