#include "runtime/torch/script_check.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/tree_views.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inline_fork_wait.h>
#include <torch/csrc/jit/passes/inliner.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/checkpoint/source_file.h"
#include "runtime/torch/allowed_operations.h"
#include "runtime/torch/pickled_values.h"
#include "runtime/torch/torch_archive.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

namespace jit = torch::jit;

constexpr std::size_t kMostWords = 1000;  // of an expression and of all in which it stands
constexpr std::size_t kDeepestBlocks = 50;

TorchArchive open_archive(const SourceFile& file) {
  try {
    return TorchArchive(file.bytes(), [&file](std::uint64_t at, std::uint64_t count) {
      std::string bytes(count, '\0');
      file.read(at, count, reinterpret_cast<std::byte*>(bytes.data()));
      return bytes;
    });
  } catch (const InputError& error) {
    throw InputError(fmt::format("not a TorchScript file, or not a whole one: {}", error.what()));
  }
}

// LibTorch looks records up without regard to case; here they have the case that it writes.
void check_names(const TorchArchive& archive) {
  for (const auto& [name, record] : archive.records()) {
    const std::string small = lower_case(name);
    if (small == "model.json") {
      throw InputError(
          "it was saved by a PyTorch before 1.1, which is not supported; save it again");
    }
    for (const std::string special :
         {"data.pkl", "constants.pkl", "code/", "data/", "constants/"}) {
      if (small.starts_with(special) && !name.starts_with(special)) {
        throw InputError(fmt::format("its record '{}' is written in another case", one_line(name)));
      }
    }
    if (small.starts_with("code/") && small.ends_with(".py") != name.ends_with(".py")) {
      throw InputError(fmt::format("its record '{}' is written in another case", one_line(name)));
    }
  }
}

// What can stand for a value without anything being run.
bool is_literal(const jit::TreeRef& tree) {
  switch (tree->kind()) {
    case jit::TK_CONST:
    case jit::TK_STRINGLITERAL:
    case jit::TK_TRUE:
    case jit::TK_FALSE:
    case jit::TK_NONE: return true;
    case jit::TK_UNARY_MINUS:
    case jit::TK_LIST_LITERAL:
    case jit::TK_TUPLE_LITERAL:
    case jit::TK_DICT_LITERAL:
    case jit::TK_LIST: return std::all_of(tree->trees().begin(), tree->trees().end(), is_literal);
    default: return false;
  }
}

// "CONSTANTS.c0", "__torch__.Color.RED", "inf": no call.
bool is_name(const jit::TreeRef& tree) {
  if (tree->kind() == jit::TK_VAR) return true;
  return tree->kind() == '.' && is_name(tree->trees().at(0));
}

bool is_harmless(const jit::TreeRef& tree) {
  if (is_literal(tree) || is_name(tree)) return true;
  if (tree->kind() != jit::TK_APPLY) return false;
  const jit::Apply call{jit::Expr(tree)};
  const jit::TreeRef callee = call.callee().tree();
  if (call.attributes().size() != 0) return false;
  if (callee->kind() == jit::TK_VAR &&
      jit::Var(callee).name().name() == "annotate") {  // (type, value)
    return call.inputs().size() == 2 && is_literal(call.inputs()[1].tree());
  }
  const bool is_device = callee->kind() == '.' &&
                         jit::Select(callee).selector().name() == "device" && is_name(callee) &&
                         call.inputs().size() == 1;
  return is_device && is_literal(call.inputs()[0].tree());
}

void check_function(const jit::Def& function) {
  const std::string& name = function.name().name();
  if (name == "__setstate__") {
    throw InputError(
        "a class of it has __setstate__, which is not supported, because loading the file would "
        "run it; accepted are models whose state is tensors and plain values (a model quantised "
        "by PyTorch has others: save it before it is quantised)");
  }
  for (const jit::Param& parameter : function.decl().params()) {
    if (!parameter.defaultValue().present() || is_harmless(parameter.defaultValue().get().tree()))
      continue;
    throw InputError(
        fmt::format("the default of {} of {} is computed, which is not supported, because loading "
                    "the file would run it; accepted are literals",
                    one_line(parameter.ident().name(), 80), one_line(name, 80)));
  }
}

void check_class(const jit::ClassDef& definition) {
  for (const jit::Stmt& statement : definition.body()) {
    if (statement.kind() == jit::TK_DEF) {
      check_function(jit::Def(statement.tree()));
      continue;
    }
    if (statement.kind() == jit::TK_ASSIGN) {
      const jit::Maybe<jit::Expr> value = jit::Assign(statement).rhs();
      if (!value.present() || is_harmless(value.get().tree())) continue;
      // A type: __annotations__["0"] = List[Tensor]
      const auto target = jit::Assign(statement).lhs_list();
      if (target.size() == 1 && target[0].kind() == jit::TK_SUBSCRIPT) continue;
    }
    throw InputError(fmt::format("its class {} has a statement that is not supported",
                                 one_line(definition.name().name(), 80)));
  }
}

// What reads code recurses, into brackets and blocks, and along "not not x" and "a + b + c". Counted are the
// words on the way to a place: those of its own expression, and of each in whose brackets it stands.
void check_depth(const std::string& text) {
  jit::Lexer lexer(std::make_shared<jit::Source>(text));
  std::vector<std::size_t> words = {0};
  std::size_t all = 0;
  std::size_t blocks = 0;
  for (; lexer.cur().kind != jit::TK_EOF; lexer.next()) {
    const int kind = lexer.cur().kind;
    const bool closes = kind == ')' || kind == ']' || kind == '}';
    if (closes || kind == ',' || kind == jit::TK_NEWLINE) all -= std::exchange(words.back(), 0);
    if (closes && words.size() > 1) words.pop_back();
    if (kind == '(' || kind == '[' || kind == '{') words.push_back(0);
    if (kind == jit::TK_INDENT) ++blocks;
    if (kind == jit::TK_DEDENT && blocks > 0) --blocks;
    ++words.back();
    if (++all > kMostWords || blocks > kDeepestBlocks) {
      throw InputError("its code is nested too deeply");
    }
  }
}

// As LibTorch reads it: classes and functions, before which may stand a version and imports.
void check_code(const std::string& text) {
  check_depth(text);
  jit::Parser parser(std::make_shared<jit::Source>(text));
  jit::Lexer& lexer = parser.lexer();
  while (lexer.cur().kind != jit::TK_EOF) {
    if (lexer.cur().kind == jit::TK_CLASS_DEF) {
      check_class(jit::ClassDef(parser.parseClass()));
    } else if (lexer.cur().kind == jit::TK_DEF) {
      check_function(jit::Def(parser.parseFunction(false)));
    } else if (lexer.cur().kind == jit::TK_IMPORT || lexer.cur().kind == jit::TK_IDENT) {
      while (lexer.cur().kind != jit::TK_NEWLINE && lexer.cur().kind != jit::TK_EOF) lexer.next();
      lexer.nextIf(jit::TK_NEWLINE);
    } else {
      throw InputError("its code has something that is no class and no function");
    }
  }
}

void check_contents(const std::string& file, const TorchArchive& archive) {
  check_names(archive);
  check_values(Pickle(archive.contents("data.pkl")), archive, "data/", true);
  if (archive.records().contains("constants.pkl")) {
    check_values(Pickle(archive.contents("constants.pkl")), archive, "constants/", true);
  }
  caffe2::serialize::PyTorchStreamReader reader(file);
  for (const auto& [name, record] : archive.records()) {
    if (!name.starts_with("code/")) continue;
    const auto [data, size] = reader.getRecord(name);
    const std::string text(static_cast<const char*>(data.get()), size);
    if (name.ends_with(".py")) check_code(text);
    if (name.ends_with(".debug_pkl")) check_values(Pickle(text), archive, "code/", false);
  }
}

void check_node(const std::string& file, const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  // Taken out later, or refused with more words.
  static const std::set<std::string> kGo = {"prim::Print", "aten::warn", "prim::SetAttr"};
  if (!is_allowed_operation(kind) && !kGo.contains(kind)) {
    throw InputError(fmt::format(
        "{}: it uses {}, which models may not; accepted are operations that compute tensors "
        "and numbers (docs/security.md){}",
        file, one_line(kind, 80),
        kind.starts_with("quantized::") ? " (save the model before it is quantised)" : ""));
  }
  for (const jit::Block* block : node.blocks()) {
    for (const jit::Node* inner : block->nodes()) check_node(file, *inner);
  }
}

}  // namespace

void check_script_file(const std::string& file) {
  try {
    const SourceFile source(file);
    check_contents(file, open_archive(source));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file, error.what()));
  } catch (const std::exception& failure) {
    throw InputError(fmt::format("{}: not a TorchScript file, or not a whole one: {}", file,
                                 first_line(failure)));
  }
}

void check_script_operations(const std::string& file, const jit::Module& module) {
  std::shared_ptr<jit::Graph> graph =
      jit::toGraphFunction(module.get_method("forward").function()).graph()->copy();
  jit::Inline(*graph);
  jit::InlineForkWait(graph);
  for (const jit::Node* node : graph->nodes()) check_node(file, *node);
}

}  // namespace lingua
