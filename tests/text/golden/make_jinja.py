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


# Calls, objects with a state, formats, markup, and names that are not known, one a line.
MORE = r"""
{{ people|groupby('age') }}
{% for k, g in people|groupby('age') %}{{ k }}:{{ g|map(attribute='name')|join(',') }};{% endfor %}
{% for g in people|groupby('x.y', default=0) %}{{ g.grouper }}={{ g.list|length }}{{ g }};{% endfor %}
{{ ['a','B','b','A']|groupby(0) }}
{{ [{'k':'a'},{'k':'B'},{'k':'b'},{'k':'A'}]|groupby('k') }}
{{ [{'k':'a'},{'k':'B'},{'k':'b'},{'k':'A'}]|groupby('k', case_sensitive=true) }}
{{ people|groupby('nope') }}
{{ people|groupby('age')|tojson }}
{{ 'foo bar baz qux'|truncate(9) }}|{{ 'foo bar baz qux'|truncate(9, true) }}|{{ 'foo bar baz qux'|truncate(11) }}|{{ 'foo bar baz qux'|truncate(11, false, '..', 0) }}
{{ 'foobarbazqux'|truncate(6, false, '…', 0) }}|{{ u|truncate(3, true, '', 0) }}|{{ t|truncate(2) }}
{{ t|truncate(5, leeway=0) }}|{{ missing|truncate }}|{{ 'x'|truncate(3, leeway=-1) }}
{{ 5|truncate }}
{{ 'a b  c-d_e é1'|wordcount }} {{ ''|wordcount }} {{ 12|wordcount }} {{ missing|wordcount }}
{{ range(10)|slice(3)|list }} {{ range(10)|slice(4, 'x')|list }} {{ [1]|slice(3)|list }}
{{ l|slice(0)|list }}
{{ 'a b/c?d=é&~_.-'|urlencode }} {{ {'a b': 'c/d', 'e': 1}|urlencode }} {{ [('x', 'y z')]|urlencode }} {{ 3|urlencode }} {{ none|urlencode }} {{ 1.5|urlencode }}
{{ l|urlencode }}
{{ 1234|round(-2) }} {{ 1250|round(-2) }} {{ 1350|round(-2) }} {{ -1250|round(-2) }} {{ 1234.5|round(-2) }} {{ 1250.0|round(-2) }} {{ 12|round(-3) }} {{ 12.5|round(-3, 'ceil') }} {{ 1234|round(-2, 'floor') }} {{ 55|round(-1) }} {{ 7|round(-20) }} {{ true|round }}
{{ 1234.567|round(1,'ceil') }} {{ 42|round(2,'floor') }}
{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }},{% endfor %}
{% for x in people %}{% if loop.changed(x.age, x.name) %}!{% endif %}{{ x.name }}{% endfor %}{% for x in [1,2] %}{{ loop.changed() }}{% endfor %}
{% macro f(a,b=2) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}|{{ f(1,2,3,4,x=5) }}|{{ f(*[1,2,3]) }}|{{ f(**{'a':7,'z':8}) }}|{{ f(1, *(2,3), **{'q':0}) }}|{{ f(1, *[9], k=1) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(*[1,2]) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, **{'a':2}) }}
{% macro f(a) %}{{ a }}{{ kwargs }}{% endmacro %}{{ f(1, a=2) }}
{% macro f() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ f() }}{% call f() %}x{% endcall %}
{% macro f() %}x{% endmacro %}{% call f() %}x{% endcall %}
{% macro f() %}{{ kwargs.keys()|list }}{% endmacro %}{% call f() %}x{% endcall %}
{% macro f(caller=none) %}{{ caller() if caller else 'no' }}{% endmacro %}{{ f() }}{% call f() %}y{% endcall %}
{% macro f(x) %}{{ caller(x, k=2) }}{% endmacro %}{% call(a, k=1) f(5) %}{{ a }}{{ k }}{{ varargs }}{% endcall %}
{% macro g() %}<{{ caller() }}>{% endmacro %}{% macro f() %}{% call g() %}[{{ caller() }}]{% endcall %}{% endmacro %}{% call f() %}in{% endcall %}
{% macro f() %}{{ varargs|length }}{{ kwargs|length }}{% endmacro %}{{ f(1,2,a=3) }} {{ f }} {{ f.name }}
{{ f(*missing) }}
{{ range(*[1,5]) }} {{ dict(**{'a':1}) }} {{ 'a,b'.split(*[',']) }} {{ dict(a=1, **{'a':2}) }}
{{ [3,1]|sort(**{'reverse': true}) }} {{ 'x'|default(*['y']) }} {{ 3 is divisibleby(*[3]) }}
{{ range(3) }} {{ range(1,9,3) }} {{ range(9)[2:5] }} {{ range(9)[::-2] }} {{ range(9)[1] }} {{ range(3)|list }} {{ range(3) == range(0,3) }} {{ range(3) == [0,1,2] }} {{ 2 in range(3) }} {{ range(0)|length }}
{{ range(3) + [1] }}
{{ range(3)|tojson }}
{{ range(2) is sequence }}{{ range(2) is iterable }}{{ d.keys() is sequence }}{{ d.keys() is iterable }}{{ d.keys() is mapping }}{{ d.keys() is callable }}
{{ d.keys() }} {{ d.values() }} {{ d.items() }} {{ d.keys()|length }} {{ 'a' in d.keys() }} {{ d.keys() == d.keys() }} {{ d.values() == d.values() }} {{ {}.keys() or 'none' }}
{{ d.keys()[0] }}|{{ d.keys()|first }}|{{ d.keys()|last }}|{{ d.items()|sort|list|length }}
{{ d.keys()|tojson }}
{{ d.keys() + ['x'] }}
{{ d.keys()|list + ['x'] }} {{ d.keys()|join(',') }} {{ d.items()|map('first')|list }} {{ d.values()|map('string')|join }}
{{ '%s' % d.keys() }} {{ '%s' % (d.items(),) }}
{% set c = cycler('a', 'b', 'c') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}
{{ cycler() }}
{% set j = joiner() %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}{% set k = joiner('|') %}{{ k() }}{{ k() }}{{ k() }}
{% for i in [1,2] %}{{ loop }}{% endfor %}{{ namespace(a=1, b='x') }}
{% set n = namespace() %}{% set n.x = 1 %}{{ n }}{{ n.x }}{{ n['x'] }}
{{ '{:>8}|{:<8}|{:^8}|{:*^9}'.format('ab', 'cd', 'ef', 'gh') }}
{{ '{:5}|{:05}|{:+d}|{: d}|{:x}|{:#x}|{:X}|{:o}|{:b}|{:#b}|{:c}'.format(42, 42, 42, 42, 255, 255, 255, 8, 5, 5, 65) }}
{{ '{:.2f}|{:10.3f}|{:e}|{:.3e}|{:g}|{:g}|{:%}|{:.1%}|{:,}|{:_}|{:,.2f}'.format(3.14159, 2.5, 12345.678, 0.00012, 1e10, 0.0001, 0.5, 0.256, 1234567, 1234567, 1234567.891) }}
{{ '{:.3}|{:.3}|{:.3}|{:.1}|{:.10}|{:5}|{}|{:.0f}'.format(2.0, 1234.5, 123.0, 2.5, 0.1, 1.5, 1e22, 2.5) }}
{{ '{:010,}|{:09,}|{:08,}|{:012,.1f}|{:-10}|{:=+10}|{:0=8}|{:>+8}|{:<08}'.format(1234, 1234, 1234, 1234.5, 3, 4, -5, 6, 7) }}
{{ '{:.2}|{:5.1}|{:s}|{:05}|{:>05}'.format('abc', 'xyz', 'q', 'a', 'b') }}
{{ '{!r}|{!s}|{!r:>6}|{!a}'.format('a', 'b', 'c', 'é😀') }}
{{ '{0[a]}|{0[b]}|{1.name}|{1[name]}|{x[0]}'.format(d, people[0], x=l) }}
{{ '{:{}}|{:{w}.{p}f}'.format('a', 5, 2.5, w=8, p=2) }}
{{ '{:5}|{}|{:d}|{:>6}'.format(true, true, true, false) }}
{{ '{} {0}'.format(1) }}
{{ '{:d}'.format('a') }}
{{ '{:d}'.format(1.5) }}
{{ '{:s}'.format(1) }}
{{ '{:5}'.format(none) }}
{{ '{:5}'.format([1]) }}
{{ '{}'.format(none) }}{{ '{}'.format([1, 'a']) }}{{ '{}'.format(missing) }}
{{ '{'.format(1) }}
{{ '}'.format(1) }}
{{ '{a'.format(a=1) }}
{{ '{a.b.c}'.format(a=1) }}
{{ '{:,x}'.format(1) }}
{{ '{:_x}|{:_b}|{:#_x}'.format(1234567, 300, 1234567) }}
{{ '{:z}'.format(1) }}
{{ '{:.500f}'.format(0.1)|length }}
{{ '{a} {b}'.format_map({'a': 1, 'b': 2}) }}
{{ '{:é>4}|{:^5}|{:^4}'.format('x', 'ab', 'a') }}
{{ '%x %X %o %#x %e %.2e %g %G %c %c %r %a %i %u %+d % d %-5d| %5s %.1s %05d %*d %.3d' % (255, 255, 8, 255, 1.5, 12345.6, 0.0001, 1e20, 'x', 65, 'q', 'é', 3, 4, 5, 6, 7, 'ab', 'xyz', 42, 4, 9, 5) }}
{{ '%d' % 2.9 }} {{ '%d' % true }} {{ '%s' % true }} {{ '%5.1f%%' % 99.55 }} {{ '%+.2f' % 1 }} {{ '%(a)05.1f %(a)s' % {'a': 2.25} }}
{{ '%d' % 'a' }}
{{ '%x' % 1.5 }}
{{ '%s %s' % (1,) }}
{{ '%s' % (1, 2) }}
{{ '%q' % 1 }}
{{ '%' % 1 }}
{{ '%s' % missing }}{{ '%s' % none }}{{ '%s' % [1] }}
{{ '%d' % missing }}
{{ "%.2f" | format(3.14159) }} {{ "%s-%05d" | format("a", 42) }} {{ "%(x)s" | format(x=3) }}
{{ ' a  b c '.rsplit(none, 1) }} {{ ' a  b c '.split(none, 1) }} {{ 'a b c'.rsplit(maxsplit=1) }} {{ 'a'.rsplit(none, 0) }} {{ ' a b '.split(none, 0) }} {{ ' a b '.rsplit(none, 0) }}
{{ '<a>'|safe + '<b>' }}
{{ '<b>' + '<a>'|safe }}
{{ ('<a>'|e) + '<b>' }}
{{ ('<a>'|e) ~ '<b>' }} {{ ['<a>'|e, '<b>']|join('<') }} {{ ('<a>'|e)|e }} {{ ('<a>'|safe)|e }} {{ '<a>'|safe|upper|e }}
{{ (d|tojson|safe) + '\n' }} {{ '"' + (d|tojson|safe) }}
{{ ('<'|safe).replace('<', '>') }} {{ ('a<'|safe) % () }} {{ ('%s<'|safe) % '<' }}
{{ ('<'|safe) is escaped }} {{ '<' is escaped }} {{ '<'|forceescape }} {{ '<'|e|forceescape }}
{{ ('<' | safe) is string }} {{ ('<'|safe) == '<' }} {{ ('<'|safe)|tojson }} {{ [('<'|safe)] }}
{{ 1|nof if false }}ok
{% if false %}{{ 1|nof }}{{ 1 is nof }}{% endif %}ok
{% if true %}{{ 1|nof }}{% endif %}ok
{% macro f() %}{{ 1|nof }}{% endmacro %}ok
{% for i in [] %}{{ 1 is nof }}{% endfor %}ok
{% if false %}{% for i in [1]|nof %}{% endfor %}{% endif %}ok
{% if false %}{% for i in [1] if i|nof %}{% endfor %}{% endif %}ok
{% if false %}{% set x | nof %}{% endset %}{% endif %}ok
{% if false %}{% filter nof %}{% endfilter %}{% endif %}ok
{% if false %}{% with a = 1|nof %}{% endwith %}{% endif %}ok
{% if false %}{% set a = 1|nof %}{% endif %}ok
{% if false %}{% generation %}{{ 1|nof }}{% endgeneration %}{% endif %}ok
{% generation %}a{{ n }}{% endgeneration %}
{{ []|map('nof')|list }}
{{ [1]|map('nof')|list }}
{{ [1]|select('nof')|list }}
{{ l.__class__ }}
{{ t.__len__() }}
{{ d.__contains__('a') }}
{{ (l|map('string'))|first }} {{ l|map('string')|map('int')|sum }}
{{ 'x' if n > 5 and n < 10 else 'y' }} {{ n > 5 < 6 }}
{{ [1,2,3][-2:] }} {{ (1,2,3)[1:] }} {{ 'abc'[None:2] }}
{{ l | sort | first }} {{ l | sort(reverse=true) | join(',') }}
{{ {'a': 1}.items() | list | first | last }}
{% set ns = namespace(found=false) %}{% for m in people %}{% if m.age > 30 and not ns.found %}{% set ns.found = true %}{{ m.name }}{% endif %}{% endfor %}{{ ns.found }}
{%- set x = 'a' if true -%}{{ x }}{% set y %}{% endset %}[{{ y }}]
{{ "a" "b" ~ 'c' }} {{ 'a' * 0 }}|{{ -3 // 2 }} {{ -3 % 2 }} {{ 3.0 // 2 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }}
{{ 1e500 }} {{ -1e500 }}
{{ 'a' is in 'abc' }} {{ 2 is in [1,2] }} {{ 'b' is not in ['a'] }}
{{ [1,[2,[3]]]|string }} {{ (1,)|string }} {{ {'a':(1,2)}|string }} {{ ''|string|length }}
{{ 'ǅ'.lower() }} {{ 'ß'.casefold() }} {{ 'ﬁ'.upper() }} {{ 'Σ'.lower() }} {{ 'ΑΣ'.lower() }} {{ 'x'.center(4, '-') }} {{ 'xyz'.center(6, '-') }}
{{ '²'.isdigit() }} {{ '½'.isnumeric() }} {{ '٣'.isdecimal() }} {{ 'ª'.isalpha() }} {{ '_'.isalnum() }} {{ 'é'.isalpha() }} {{ '中'.isalpha() }} {{ '中'.isalnum() }} {{ 'Ⅷ'.isalpha() }} {{ 'Ⅷ'.isupper() }}
{{ 'a,b,,c'.split(',') }} {{ ''.split(',') }} {{ ''.split() }} {{ 'abc'.partition('x') }} {{ 'a.b.c'.rpartition('.') }}
{{ 'abcabc'.find('c', 3) }} {{ 'abcabc'.count('a', 1) }} {{ 'abc'.startswith('b', 1) }} {{ 'abc'.index('c', 0, 3) }}
{{ [1,2,1].index(1, 1) }}
{{ 'abc'.replace('b', 'x', 1) }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'a b'.title() }} {{ "it's".title() }} {{ "it's"|title }} {{ "o'neil mc-donald"|capitalize }}
{{ 'a\nb\r\nc'.splitlines() }} {{ 'a\n'.splitlines(true) }}
{{ 'x'|indent(4, true) }} {{ 'a\n\n b'|indent(width=3, blank=true) }} {{ ''|indent }}|
{{ d|dictsort(reverse=true) }} {{ {'b':2,'a':3}|dictsort(false, 'value') }}
{{ [1,2,3]|batch(2)|map('join', '-')|join('|') }} {{ [1]|batch(3, 0)|list }}
{{ [{'a':1},{'a':2}]|map(attribute='a')|sum }} {{ [[1,2],[3]]|sum(start=[]) }} {{ ['a']|sum }}
{{ [1,2,3]|min }} {{ ['b','A']|max }} {{ []|min }}| {{ [1,none]|select|list }} {{ [0,1]|reject|list }}
{{ 'abc'|list }} {{ 'abc'|first }} {{ 'abc'|last }} {{ 5|list }}
{{ 3.7|int }} {{ '0x1f'|int(base=16) }} {{ '0b11'|int(0, 2) }} {{ '12abc'|int(-1) }} {{ none|int }} {{ 'inf'|float }} {{ 'nan'|float }} {{ '-1_0'|int }} {{ [] |int(5) }}
{{ 1 == 1.0 }} {{ '1' == 1 }} {{ none == false }} {{ [] == () }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1,2] < [1,3] }} {{ (1,2) < (2,) }}
{{ missing is none }} {{ missing|default('z') }} {{ none|default('z') }} {{ none|default('z', true) }} {{ ''|d('z', boolean=true) }} {{ missing.a.b|default('q') }}
{% if messages is defined and messages %}x{% else %}y{% endif %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (a, b) = (b, a) %}{{ a }}{{ b }}{% for (a, b) in [(1,2)] %}{{ a + b }}{% endfor %}
{% for i in l recursive %}{{ i }}{% endfor %}{% for i in l if i > 1 recursive %}{{ i }}{% else %}n{% endfor %}
{% for a in [[1,[2]],[3]] recursive %}{{ loop.depth0 }}{% if a is iterable %}{{ loop(a) }}{% else %}{{ a }}{% endif %}{% endfor %}
{% import 'x' as y %}
{# a {{ b }} #}x{#- c -#} y
{{ '{{' }}{{ "}}" }}{% raw %}{{ x }}{% endraw %}
{{ 'a' if missing else 'b' }}{{ missing or 'c' }}{{ not missing }}
""".strip().split("\n")


def answer(source, variables):
    try:
        return utils._compile_jinja_template(source).render(**copy.deepcopy(variables))
    except Exception:  # whatever the reason, transformers gives no text
        return None


def snippets():
    made = SNIPPETS + MORE
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
