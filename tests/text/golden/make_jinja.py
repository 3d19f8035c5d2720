#!/usr/bin/env python3
"""What transformers makes of templates: jinja.json, from jinja_templates/ and the snippets below."""
import copy
import datetime
import json
import pathlib

import jinja2
import transformers.utils.chat_template_utils as utils

HERE = pathlib.Path(__file__).resolve().parent


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 3, 9, 14, 5, 7)


utils.datetime = FixedClock

VARIABLES = {
    "n": 7, "m": -3, "f": 2.5, "t": "Hello, World", "e": "", "u": "\u00e9\u4e16\U0001F600 \u00df",
    "s": "  two words \n", "yes": True, "no": False, "nothing": None, "l": [3, 1, 2], "empty": [],
    "w": ["b", "A", "c", "a"], "d": {"b": 1, "a": [True, None, 1.5], "c": {"x": "y"}},
    "people": [{"name": "Ann", "age": 31}, {"name": "bob", "age": 5},
               {"name": "Cy", "age": 31, "x": {"y": 1}}],
    "quote": "it's \"x\" <&> \\ \t",
}

VALUES = ["n", "m", "f", "t", "e", "u", "yes", "nothing", "l", "empty", "w", "d", "missing"]
FILTERS = ["abs", "capitalize", "count", "d('D')", "default('D', true)", "escape", "first", "float",
           "int", "items|list", "join('-')", "last", "length", "list", "lower", "max", "min",
           "reverse|list", "round", "safe", "sort", "string", "sum", "title", "tojson",
           "tojson(indent=2)", "trim", "unique|list", "upper", "map('string')|list", "indent(2)",
           "batch(2)|list", "select|list", "replace('l', 'L')", "center(20)"]
TESTS = ["defined", "undefined", "none", "string", "number", "mapping", "iterable", "sequence",
         "boolean", "true", "false", "integer", "float", "odd", "even", "divisibleby 3", "callable",
         "eq 7", "in [7, 'a']", "equalto(none)", "lt 5", "not none", "lower", "upper", "ge 7"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and",
             "or"]
SLICES = ["[0]", "[-1]", "[1:]", "[:-1]", "[::-1]", "[1:3]", "[::2]", "[5:1:-2]", "[9]", "[-9:2]",
          "['b']", ".b", ".missing", "[:]", "['length']"]
METHODS = ["strip()", "lstrip()", "rstrip('d')", "split()", "split('o')", "split(',', 1)",
           "startswith('He')", "endswith(('x', 'd'))", "replace('l', '')", "upper()", "lower()",
           "title()", "capitalize()", "find('o')", "rfind('o')", "count('l')", "splitlines()",
           "isdigit()", "isalpha()", "isupper()", "swapcase()", "rsplit('o', 1)",
           "partition(',')", "removeprefix('He')", "zfill(20)", "ljust(15, '.')", "center(15)",
           "replace('', '.')", "strip('Hd')", "rpartition('o')", "isspace()", "get('b')"]

SNIPPETS = [
    "{{ 1, 2 }}", "{{ () }}", "{{ (1,) }}", "{{ [1, 'a', none, true, 1.0] }}", "{{ {'a': {}} }}",
    "{{ {1: 2, 'x': [3]} }}", "{{ 'a' 'b' \"c\" }}", "{{ 'a\\n\\t\\x41\\u00e9\\'\\q' }}",
    "{{ 1e3 }} {{ 1.5e-7 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1_000 }} {{ 1e16 }} {{ 123456789.0 }}",
    "{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 7 // -2 }} {{ -7 % 3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ 1 + 2 * 3 ~ 4 - 1 }}", "{{ 'a' ~ 1 + 2 }}", "{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }}",
    "{{ not true == false }}", "{{ not 1 in [1] }}", "{{ 1 if no }}|{{ 1 if no else 2 }}",
    "{{ 1 if yes else 2 if no else 3 }}", "{{ -f|abs }} {{ (-f)|abs }} {{ -f | int }}",
    "{{ 'x' if missing is defined else 'y' }}", "{{ missing.x is defined }}", "{{ missing.x }}",
    "{{ missing ~ 'a' }}", "{{ missing + 'a' }}", "{{ d.missing.x }}", "{{ nothing.x }}",
    "{{ missing == missing2 }}", "{{ 'a' in missing }}", "{{ nothing ~ true ~ 1.0 }}",
    "{{ [missing] }}", "{{ l + [4] }}", "{{ l * 2 }}", "{{ 'ab' * 3 }}", "{{ yes + 1 }}",
    "{{ '%s=%d %5.2f|%-4s|%04d%%' % ('a', 3, 2.345, 'x', 42) }}", "{{ '%s' % t }}",
    "{{ '%s and %s'|format('a', 1) }}", "{{ '%(a)s'|format(a=1) }}",
    "{{ '{} {}'.format(1, 'a') }} {{ '{0}{0}{x}{{}}'.format('a', x=2) }}",
    "{{ people|map(attribute='name')|join(', ') }}", "{{ people|map(attribute='x.y')|list }}",
    "{{ people|map(attribute='x', default='none')|list }}",
    "{{ people|selectattr('age', 'equalto', 31)|map(attribute='name')|list }}",
    "{{ people|rejectattr('age', 'gt', 10)|list }}", "{{ people|selectattr('x', 'defined')|list|length }}",
    "{{ people|sort(attribute='age,name')|map(attribute='name')|list }}",
    "{{ people|sort(attribute='name', reverse=true)|map(attribute='name')|list }}",
    "{{ people|sum(attribute='age') }}", "{{ people|max(attribute='age') }}",
    "{{ people|unique(attribute='age')|map(attribute='name')|list }}",
    "{{ people|join('-', attribute='name') }}", "{{ [1,2,3]|select('odd')|list }}",
    "{{ [1,2,3]|reject('gt', 1)|list }}", "{{ [1,2,3]|select('odd')|length }}",
    "{{ 'yes' if [0]|select else 'no' }}", "{{ ['a', 'b']|map('upper')|join }}",
    "{{ ['a', 'b']|map('replace', 'a', 'x')|list }}", "{{ d|dictsort }}",
    "{{ {'b': 1, 'A': 2}|dictsort(case_sensitive=true) }}", "{{ {'b': 1, 'A': 2}|dictsort(by='value', reverse=true) }}",
    "{{ d|tojson }}", "{{ d|tojson(sort_keys=true, separators=(',', ':')) }}",
    "{{ u|tojson }} {{ u|tojson(ensure_ascii=true) }}", "{{ quote|tojson }}", "{{ [quote] }}", "{{ quote|e }}",
    "{{ [[], {}, [1, {'a': []}]]|tojson(indent=4) }}", "{{ d|string }}", "{{ d|items|list }}",
    "{{ 'a\nb\n\nc'|indent }}", "{{ 'a\nb\n\nc'|indent(2, true, true) }}", "{{ 'a\nb'|indent('> ') }}",
    "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 2.1|round(method='ceil') }} {{ 7|round }}",
    "{{ '42'|int }} {{ ' 4.7 '|int }} {{ 'x'|int(9) }} {{ 'ff'|int(base=16) }} {{ '1e2'|float }}",
    "{{ 'hello-world (foo) bar'|title }}", "{{ 'xxaxx'|trim('x') }}", "{{ s|trim }}|{{ s.strip() }}|",
    "{{ range(5)|list }} {{ range(1, 9, 3)|list }} {{ range(3, 0, -1)|list }} {{ range(0)|list }}",
    "{{ dict(a=1, b=2) }} {{ dict([('x', 1)]) }} {{ dict({'a': 1}, b=2) }}",
    "{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S %A %B %j') }}",
    "{{ raise_exception('no') }}", "{{ 1 / 0 }}", "{{ 'a' + 1 }}", "{{ [1] + (2,) }}", "{{ l.append(1) }}",
    "{{ d.update({}) }}", "{{ t.missing }}", "{{ t.missing() }}", "{{ t() }}", "{{ none + 1 }}", "{{ 'a' < 1 }}",
    "{% for i in none %}x{% endfor %}", "{% for i in 5 %}x{% endfor %}", "{{ nothing|length }}", "{{ 1|nofilter }}",
    "{{ 1 is notest }}", "{% for i in missing %}x{% else %}none{% endfor %}",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}"
    "{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }};{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for c in 'h\u00e9' %}{{ c }}.{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for i in range(9) if i is odd %}{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% for j in w %}{{ loop.index }}{% if loop.first %}{% break %}{% endif %}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}{% endfor %}",
    "{% set x = 0 %}{% for i in l %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(x=0, found=false) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.found }}{{ ns.none }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set x %}  a {{ n }} {% endset %}[{{ x }}]",
    "{% set x | upper | trim %}  abc {% endset %}[{{ x }}]", "{% if no %}{% set q = 1 %}{% endif %}{{ q }}|",
    "{% if yes %}{% set q = 1 %}{% endif %}{{ q }}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% filter upper %}abc {{ t }}{% endfilter %}", "{% generation %}gen{% endgeneration %}!",
    "{% raw %}{{ x }} {% if %}{% endraw %}!", "{# comment {{ x }} #}a", "a {#- x -#} b",
    "{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, c=3) }}|{{ f() }}|{{ f(1, 2, 3)|length }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}",
    "{% macro f() %}[{{ caller() }}]{% endmacro %}{% call f() %}in {{ n }}{% endcall %}",
    "{% macro f() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) f() %}{{ a }}-{{ b }}{% endcall %}",
    "{% macro f() %}{{ g }}{% endmacro %}{% set g = 5 %}{{ f() }}", "{% macro f(a) %}{% set n = a %}{{ n }}{% endmacro %}{{ f(1) }}{{ n }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}",
    "{{ f }}{% set f = 1 %}", "{% include 'x' %}", "{% do x %}", "{% if %}{% endif %}", "{% endif %}", "{{ 1 +",
    "{{ (1 }}", "{% for %}", "{{ 'a }}", "{% if x %}", "{{ a b }}", "{{ }}", "{% set %}", "{{ x is }}", "{{ x | }}",
    "a\n{% if yes %}\n  b\n{% endif %}\nc\n", "a\n  {% if yes %}  \n  b\n  {% endif %}\nc", "  {{ n }}  \n  {{ n }}\n",
    "a  {%- if yes -%}  \n b \n{%- endif %} c", "a\n  {%+ if yes +%}\n b{% endif %}", "x {% set a = 1 %}\n y", "x\n\n",
    "x\r\ny\rz\n", "  {# c #}  \na", "  {# c +#}\na", "{% for i in l %}\n  {{ i }}\n{% endfor %}\n", "{{- n -}}  x", "a {{- n }} b",
    "{{ '}}' }} {{ \"%}\" }} {{ {'a': {'b': 1}}['a']['b'] }}", "{ { n } } {%raw%} a {%- endraw %}b", "{{n}}{{-n-}}{{+n}}",
    "  {%- raw -%}  a  {%- endraw -%}  b", "{% if yes %}a{% elif no %}b{% else %}c{% endif %}", "{% if no %}a{% elif yes %}b{% endif %}",
    "{{ l[0] }}{{ l.0 }}{{ d['c'].x }}{{ d.c['x'] }}{{ people[-1].name }}{{ people[0]['age'] }}", "{{ u[1] }}{{ u[::-1] }}{{ u|length }}",
    "{{ loop }}", "{{ loop is defined }}", "{{ messages is defined }}", "{{ d.items()|list }} {{ d.keys()|list }} {{ d.values()|list }}",
    "{{ d.get('zz') }} {{ d.get('zz', 1) }} {{ 'b' in d }} {{ 'zz' not in d }}", "{{ l == [3, 1, 2] }} {{ (1, 2) == [1, 2] }} {{ 1 == true }} {{ 1 == 1.0 }}",
    "{{ none is none }} {{ none == none }} {{ 'a' is string and 1 is number }}", "{{ 1 is not string }} {{ 3 is divisibleby(3) }}",
    "{{ l.index(1) }} {{ l.count(3) }}", "{{ 'a,b'.split(',')[-1] }} {{ 'a</t>b'.split('</t>')[0].rstrip('\\n').split('<t>')[-1].lstrip('\\n') }}",
    "{{ '\u00df'.upper() }} {{ '\u0130'.lower() }} {{ '\u01c6'|capitalize }}", "{{ ['a'] is sequence }} {{ l is iterable }} {{ n is callable }} {{ range is callable }}",
    "{{ 5 is in([5]) }} {{ 5 in l }}", "{{ true and 'x' or 'y' }} {{ e or 'z' }} {{ l and 0 }}", "{{ (n > 5) ~ (n < 5) }}", "{{ [1, 2, 3,] }} {{ {'a': 1,} }}",
    "{{ namespace(a=1).a }}", "{% set d.x = 1 %}", "{% set x = [1, 2] %}{{ x|last }}{{ x|first }}{{ []|first }}", "{{ 1.0 }} {{ 1e100 }} {{ 0.1 + 0.2 }} {{ 3 / 2 }} {{ 4 / 2 }}",
    "{{ [1,2,3,4,5]|batch(2, 0)|list }}", "{{ 'abc'|reverse }}", "{{ w|sort }} {{ w|sort(case_sensitive=true) }} {{ w|unique|list }} {{ w|min }}", "{{ 'a' is eq 'a' }} {{ 'a' is sameas 'a' }}",
]


def answer(source, variables):
    try:
        return utils._compile_jinja_template(source).render(**copy.deepcopy(variables))
    except Exception as error:  # whatever the reason, transformers gives no text
        assert not isinstance(error, AssertionError)
        return None


def snippets():
    made = list(SNIPPETS)
    made += ["{{ %s|%s }}" % (v, f) for v in VALUES for f in FILTERS]
    made += ["{{ %s is %s }}" % (v, t) for v in VALUES for t in TESTS]
    made += ["{{ %s %s %s }}" % (a, o, b) for o in OPERATORS
             for a in ("n", "f", "t", "l", "nothing", "missing")
             for b in ("m", "f", "t", "l", "missing")]
    made += ["{{ %s%s }}" % (v, s) for v in ("t", "u", "l", "d", "n", "empty") for s in SLICES]
    made += ["{{ %s.%s }}" % (v, m) for v in ("t", "u", "s", "d") for m in METHODS]
    return list(dict.fromkeys(made))


def conversations():
    system = {"role": "system", "content": " Be brief. "}
    def user(text):
        return {"role": "user", "content": text}
    def assistant(text):
        return {"role": "assistant", "content": text}
    several = [user("What is 2 + 2?\n"), assistant("<think>\nadd\n</think>\n\n  It is 4.  "),
               user(" And 3? \u00e9\u4e16\U0001F600 ")]
    return [[user("Hello!")], [system, user("Hello!")], several, [system] + several, [user("")],
            several[:2], [user("a"), user("b")], [assistant("a")], [],
            [user("Hi"), {"role": "tool", "content": "{\"x\": 1}"}]]


def main():
    tokens = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    table = [[source, answer(source, VARIABLES)] for source in snippets()]
    prompts = {}
    for path in sorted((HERE / "jinja_templates").glob("*.jinja")):
        source = path.read_bytes().decode()
        prompts[path.stem] = [
            answer(source, {"messages": messages, "tools": None, "documents": None,
                            "add_generation_prompt": generate, **tokens})
            for messages in conversations() for generate in (True, False)]
    lines = ",\n".join(json.dumps(entry) for entry in table)
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(answers)}" for name, answers in prompts.items())
    (HERE / "jinja.json").write_text(
        '{"variables": ' + json.dumps(VARIABLES) + ',\n"tokens": ' + json.dumps(tokens) +
        ',\n"conversations": ' + json.dumps(conversations()) + ',\n"snippets": [\n' + lines +
        '\n],\n"prompts": {\n' + rows + "\n}}\n")
    print(len(table), "snippets,", sum(a is None for _, a in table), "refused;", len(prompts), "templates")


if __name__ == "__main__":
    main()
