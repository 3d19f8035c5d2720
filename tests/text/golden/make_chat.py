#!/usr/bin/env python3
"""Renders conversations with the families' chat templates by Jinja2: chat.json; see README.md."""
import json
import pathlib

import jinja2
import jinja2.sandbox

HERE = pathlib.Path(__file__).resolve().parent

ALTERNATE = ("{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
             "{{ raise_exception('roles must alternate') }}{% endif %}")


def chatml(default_system):
    first = ("{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n" +
             default_system + "<|im_end|>\n' }}{% endif %}") if default_system else ""
    return ("{% for message in messages %}" + first +
            "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


TEMPLATES = {
    # name: (template, bos_token, eos_token)
    "gemma": ("""{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}
    {%- set loop_messages = messages[1:] -%}
{%- else -%}
    {%- set first_user_prefix = '' -%}
    {%- set loop_messages = messages -%}
{%- endif -%}
{%- for message in loop_messages -%}
    """ + ALTERNATE.replace("{%", "{%-").replace("%}", "-%}") + """
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else '') }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- endif -%}
    {{ '<end_of_turn>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{ '<start_of_turn>model\n' }}
{%- endif -%}
""", "<bos>", "<eos>"),
    "chatml": (chatml(""), "", "<|im_end|>"),
    "qwen2": (chatml("You are a helpful assistant."), "", "<|im_end|>"),
    "qwen2.5": (chatml("You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
                "", "<|im_end|>"),
    "smollm2": (chatml("You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
                "", "<|im_end|>"),
    "llama2": ("{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
               "{% set system_message = messages[0]['content'] %}{% else %}"
               "{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
               "{% for message in loop_messages %}" + ALTERNATE +
               "{% if loop.index0 == 0 and system_message != false %}"
               "{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + "
               "message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}"
               "{% if message['role'] == 'user' %}"
               "{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
               "{% elif message['role'] == 'assistant' %}"
               "{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
               "<s>", "</s>"),
    "llama3": ("{% for message in messages %}{% set content = '<|start_header_id|>' + "
               "message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + "
               "'<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}"
               "{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
               "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
               "<|begin_of_text|>", "<|end_of_text|>"),
    "zephyr": ("""{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\n' + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""", "<s>", "</s>"),
    "mistral": ("{{ bos_token }}{% for message in messages %}" + ALTERNATE +
                "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
                "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
                "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}",
                "<s>", "</s>"),
}

SYSTEM = ("system", "Answer in one line. ")
HELLO = [("user", "Hello!")]
SEVERAL = [("user", " What is 2 + 2?\n"), ("assistant", "  It is 4.  "),
           ("user", "And 3 + 3?\n\nThink: \u00e9 \u4e16\u754c \U0001F600 ")]
CONVERSATIONS = [HELLO, [SYSTEM] + HELLO, SEVERAL, [SYSTEM] + SEVERAL, [("user", "")],
                 [("user", "a")] + [("assistant", "b"), ("user", "c")] * 3]


def render(template, messages, bos, eos):
    def raise_exception(message):
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True,
                                                               lstrip_blocks=True)
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(template).render(
        messages=[{"role": role, "content": content} for role, content in messages],
        bos_token=bos, eos_token=eos, add_generation_prompt=True)


def main():
    entries = []
    for name, (template, bos, eos) in TEMPLATES.items():
        for messages in CONVERSATIONS:
            try:
                prompt = render(template, messages, bos, eos)
            except jinja2.TemplateError:
                prompt = None
            entries.append({"template": name, "messages": messages, "prompt": prompt})
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (HERE / "chat.json").write_text('{"prompts": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
