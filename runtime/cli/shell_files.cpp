#include "runtime/cli/shell_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>

#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr const char* kFiles = "-";       // what completes a value: files,
constexpr const char* kOwnValues = "\\";  // or nothing that could be known

// How a word stands in the script. Bash takes what is between these quotes as it is.
std::string case_line(const std::string& pattern, const std::string& answer) {
  return fmt::format("    {}) echo {} ;;\n", shell_word(pattern), shell_word(answer));
}

std::string completion_of(const OptionFacts& option) {
  if (option.is_path) return kFiles;
  if (option.choices.empty()) return kOwnValues;
  return fmt::format("{}", fmt::join(option.choices, " "));
}

// The function of the script that completes: what is known comes from the two before it.
constexpr const char* kComplete = R"BASH(
_lingua() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= deeper i kind=
  for ((i = 1; i < COMP_CWORD; ++i)); do
    deeper="${verb:+$verb }${COMP_WORDS[i]}"
    [[ -n $(_lingua_words "$deeper") ]] || break
    verb=$deeper
  done
  if [[ $before == -* ]]; then kind=$(_lingua_values "$verb $before"); fi
  if [[ $kind == '\' ]]; then
    COMPREPLY=()
  elif [[ $kind == - || ( -z $kind && $current != -* && $(_lingua_values "$verb") == - ) ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "${kind:-$(_lingua_words "$verb")}" -- "$current")
  fi
}
complete -F _lingua lingua
)BASH";

// How what roff would set as something else is written, so that it can be copied.
std::string roff(char c) {
  switch (c) {
    case '\\': return "\\e";
    case '-': return "\\-";
    case '\'': return "\\(aq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    default: return {c};
  }
}

// Text of a paragraph: nothing in it is a request.
std::string roff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && c == '.') out += "\\&";
    begins = c == '\n';
    out += roff(c);
  }
  return out;
}

// An argument of a macro.
std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : roff(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return '"' + out + '"';
}

std::string option_head(const OptionFacts& option) {
  std::string head;
  for (const std::string& name : option.names)
    head += fmt::format("{}\\fB{}\\fR", head.empty() ? "" : ", ", roff(name));
  if (option.names.empty()) head = fmt::format("\\fI{}\\fR", roff(option.word));
  if (option.names.empty() || option.value.empty()) return head;
  return head + fmt::format(" \\fI{}\\fR", roff(option.value));
}

std::string option_text(const OptionFacts& option) {
  std::string text = roff(option.help);
  std::vector<std::string> notes;
  if (option.is_required) notes.push_back("required");
  if (option.choices.size() > 1)
    notes.push_back(fmt::format("one of {}", fmt::join(option.choices, ", ")));
  if (!option.default_text.empty()) notes.push_back("default " + option.default_text);
  if (!notes.empty()) text += roff(fmt::format(" [{}]", fmt::join(notes, "; ")));
  return fmt::format(".TP\n{}\n{}\n", option_head(option), text);
}

std::string usage_of(const VerbFacts& verb) {
  std::string usage = fmt::format("\\fBlingua {}\\fR", roff(verb.path));
  if (!verb.verbs.empty()) usage += " \\fIVERB\\fR";
  for (const OptionFacts& option : verb.options) {
    if (option.word.empty()) continue;
    const std::string word =
        fmt::format("\\fI{}\\fR{}", roff(option.word), option.is_repeated ? " ..." : "");
    usage += option.is_required ? " " + word : " [" + word + "]";
  }
  return usage + " [\\fIOPTIONS\\fR]";
}

}  // namespace

std::string bash_completion(const std::vector<VerbFacts>& verbs) {
  std::string words;
  std::string values;
  for (const VerbFacts& verb : verbs) {
    std::vector<std::string> known = verb.verbs;
    bool takes_files = false;
    for (const OptionFacts& option : verb.options) {
      takes_files = takes_files || (!option.word.empty() && option.is_path);
      for (const std::string& name : option.names) {
        known.push_back(name);
        if (!option.value.empty())
          values += case_line(verb.path + " " + name, completion_of(option));
      }
    }
    known.push_back("--help");
    words += case_line(verb.path, fmt::format("{}", fmt::join(known, " ")));
    if (takes_files) values += case_line(verb.path, kFiles);
  }
  return "# Completion of lingua for bash, as `lingua completion bash` prints it.\n\n"
         "# VERB: the verbs below it, and its options.\n"
         "_lingua_words() {\n  case \"$1\" in\n" +
         words +
         "  esac\n}\n\n"
         "# VERB OPTION, or a VERB for its words: the values; - files; \\ something of one's own; "
         "nothing for a flag.\n"
         "_lingua_values() {\n  case \"$1\" in\n" +
         values + "  esac\n}\n" + kComplete;
}

std::string manual_page(const std::vector<VerbFacts>& verbs, const std::string& version,
                        const std::string& date, const std::string& exit_codes) {
  const VerbFacts& program = verbs.at(0);
  std::string page = fmt::format(
      ".\\\" As `lingua completion man` prints it.\n.TH LINGUA 1 {} {} {}\n.SH NAME\nlingua \\- "
      "{}\n"
      ".SH SYNOPSIS\n\\fBlingua\\fR \\fIVERB\\fR [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n{}\n"
      ".PP\nThe same option means the same everywhere.\n",
      fmt::format("\"{}\"", date), quoted(version), quoted("LinguaLinked Lab"), roff(program.help),
      roff("lingua reads a model as a graph of operations, cuts it into segments, assigns them to "
           "the phones of a cluster, and runs the result in simulation, in emulation with real "
           "numerics, and on real devices."));
  page += ".SH OPTIONS\n";
  for (const OptionFacts& option : program.options) page += option_text(option);
  page += ".SH VERBS\n";
  for (const VerbFacts& verb : verbs) {
    if (verb.path.empty()) continue;
    page += fmt::format(".SS {}\n{}\n.PP\n{}\n", quoted("lingua " + verb.path), usage_of(verb),
                        roff(verb.help));
    for (const OptionFacts& option : verb.options) page += option_text(option);
  }
  page += ".SH EXIT STATUS\n.nf\n" + roff(exit_codes) + "\n.fi\n";
  return page;
}

}  // namespace lingua
