#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/text/jinja/template.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

// A whole conversation, or a question without an answer.
jinja::Entries conversation(bool whole) {
  using jinja::Value;
  const auto message = [](const char* role, const char* content) {
    return Value::dict({{"role", role}, {"content", content}});
  };
  jinja::List messages;
  if (whole) messages.push_back(message("system", " Be brief.\n"));
  messages.push_back(message("user", "Gr\u00fc\u00dfe, 2 < 3? \U0001F600"));
  if (whole) messages.push_back(message("assistant", "<think>\nwell\n</think>\n\nYes."));
  return {{"messages", Value::list(std::move(messages))},
          {"add_generation_prompt", Value(whole)},
          {"bos_token", "<s>"},
          {"eos_token", "</s>"},
          {"tools", Value()},
          {"numbers", Value::list({Value(std::int64_t{-3}), Value(2.5), Value(true)})}};
}

// The output is bounded as template.h says; steps and depth show as time and as a stack's overflow.
void run(const std::string& bytes) {
  const jinja::Template read(bytes, "fuzzed.jinja");
  for (const bool whole : {true, false}) {
    const std::string text = read.render(conversation(whole), std::tm{});
    LINGUA_CHECK(text.size() <= jinja::kMostText, "{} bytes of text", text.size());
  }
}

// Everything that the grammar has, in few bytes: what changes of the real templates seldom reach.
std::string every_construct() {
  return "{% set ns = namespace(n=0) %}{% macro f(a, b=2) %}{{ a ~ b }}{{ varargs }}{{ kwargs }}"
         "{% if caller %}{{ caller(a) }}{% endif %}{% endmacro %}"
         "{% call(x) f(1) %}{{ x }}{% endcall %}{{ f(*[1, 2], **{'c': 3}) }}"
         "{% for m in messages if m.role != 'x' recursive %}{{ loop.index }}{{ loop.cycle(1, 2) }}"
         "{% if loop.changed(m.role) %}{% set ns.n = ns.n + 1 %}{% else %}{% continue %}{% endif %}"
         "{% else %}none{% endfor %}{% filter upper|trim %}a{% endfilter %}"
         "{% with a = 1, b = -numbers[0] %}{{ a if b else -a ** 2 // 3 }}{% endwith %}"
         "{% set t | indent(2) %}x{{ 1 }}\n{% endset %}{% raw %}{{ }}{% endraw %}{# c #}"
         "{{ messages[0].content.strip()[::-1][1:] | replace('a', 'b') | title }}\n"
         "{{ numbers | map('abs') | select('gt', 1) | sort | list | tojson(indent=1) }}"
         "{{ '{:>8.2f}|{!r:<5}'.format(2.5, 'a') ~ '%05.1f %s' % (2, 'b') }}"
         "{{ messages | groupby('role') | first }}{{ cycler('a').next() }}{{ joiner()() }}"
         "{{ 'a b c' | truncate(3, true, '..', 0) | wordcount }}{{ range(9) | slice(4) | list }}"
         "{{ {'a': (1,), 2: none} | dictsort(by='key') if false }}{{ [1, 2]|batch(2)|list }}"
         "{{ [1, 2] is sequence and 3 not in [4] or 5 is divisibleby 5 }}{{ 'a&b' | urlencode }}\n";
}

std::vector<std::string> samples() {
  std::vector<std::string> all = {every_construct()};
  for (const char* name : {"chatml", "commandr", "gemma3", "gptoss", "hermes", "llama32",
                           "mistral3", "qwen3", "smollm3", "vicuna"}) {
    all.push_back(read_file(std::string(LINGUA_TEXT_GOLDEN "/jinja_templates/") + name + ".jinja"));
  }
  return all;
}

}  // namespace

FuzzTarget jinja_target() { return {"jinja", run, samples}; }

}  // namespace lingua::testing
