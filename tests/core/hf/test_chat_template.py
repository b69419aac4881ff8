"""Chat templates: what they write is what transformers would, and what they may do is bounded."""

import resource
import sys
import time

import pytest

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.hf.chat_template import render  # noqa: E402
from framesift.testing.tiny_vlms import CHAT, IDEFICS_CHAT, INTERNVL_CHAT, QWEN_CHAT, save_tokenizer  # noqa: E402

SECONDS, MEGABYTES = 5.0, 200
CONVERSATION = [
    {"role": "system", "content": [{"type": "text", "text": " Be brief.\n"}]},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What <b>is</b>?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "<think>hm</think>A dog. "}]},
    {"role": "user", "content": [{"type": "text", "text": 'Where, "exactly" & why?\n'}]},
]
WRITTEN = [
    CHAT,
    IDEFICS_CHAT,
    INTERNVL_CHAT,
    QWEN_CHAT,
    "{{ bos_token }}{% for m in messages[::-1] %}{{ loop.index0 }}/{{ loop.length }} {{ m.role }}"
    "{{ ' last' if loop.last else '' }}{{ loop.previtem.role if not loop.first }}\n{% endfor %}",
    "{%- set ns = namespace(found=false, text='') -%}{%- for m in messages -%}"
    "{%- if m['role'] == 'system' -%}{%- set ns.found = true -%}{%- continue -%}{%- endif -%}"
    "{%- set ns.text = ns.text ~ m.content[-1].text | trim ~ '|' -%}"
    "{%- if loop.index > 3 -%}{%- break -%}{%- endif -%}{%- endfor -%}{{ ns.found }}{{ ns.text }}",
    "{% macro said(m, mark='*') %}{{ mark }}{% for c in m.content if c.type == 'text' %}"
    "{{ c['text'].strip() }}{% endfor %}{% endmacro %}"
    "{% for m in messages %}{{ said(m) }}{{ said(m, mark='-') }}{% endfor %}",
    "{% for m in messages if m.role != 'system' %}{% set text = m.content[-1].text %}"
    "{% if '</think>' in text %}{{ text.split('</think>')[-1].lstrip('\n') }}"
    "{% elif text is string and text.startswith(' ') %}{{ text | upper | replace('B', 'X') }}"
    "{% else %}{{ text | tojson }}{{ m | tojson(indent=2) }}{% endif %}{% endfor %}",
    "{% set x %}{{ messages | length }}-{{ messages | map(attribute='role') | join(', ') }}"
    "{% endset %}{{ x }}{{ [1, 2, 3][1:] + [4] }}{{ {'a': 1, 'b': none} }}{{ (1, 'b') }}"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ tools is none }}"
    "{{ tools }}{{ missing }}{{ missing is defined }}{{ 7 % 3 }}{{ 2 ** 3 }}{{ 7 // 2 }}{{ 1 / 2 }}"
    "{{ '%s of %d' % ('one', 2) }}{{ '-' * 3 }}{{ 'a' ~ 1 ~ none }}{{ range(3) | list }}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content[0].text }}"
    "{% endgeneration %}{% else %}{{ m.content[-1].text | safe }}{% endif %}{% endfor %}"
    "{% filter upper %}a{{ 'b' }}{% endfilter %}{% with y = 3 %}{{ y }}{% endwith %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}\n",
    "{% for key, value in messages[0].items() %}{{ key }}={{ value }};{% endfor %}"
    "{{ dict(a=1, b=[2]) }}{{ messages[9] }}{{ cycler('a', 'b').next() }}"
    "{{ strftime_now('%Y') }}{{ 'a,b'.split(',') | last }}{{ 'x' in 'xyz' and 1 in [1] }}",
]
DOUBLED = (
    "{{% set ns = namespace(x={0}) %}}{{% for i in range(64) %}}{1}{{% endfor %}}{{{{ ns.x }}}}"
)
TOO_MUCH = [
    "{{ 'a' * 3000000000 }}",
    "{{ 'a' * (3 * 10 ** 9) }}",
    "{{ [0] * 3000000000 }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    DOUBLED.format("'ab'", "{% set ns.x = ns.x + ns.x %}"),
    DOUBLED.format("'ab'", "{% set ns.x = ns.x ~ ns.x %}"),
    DOUBLED.format("'ab'", "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}"),
    DOUBLED.format("'ab'", "{% set ns.x = ns.x | replace('a', 'aaaa') %}"),
    DOUBLED.format("'ab'", "{% set ns.x = ns.x.replace('a', 'aaaa') %}"),
    DOUBLED.format("'ab'", "{% set ns.x = ns.x.join(ns.x) %}"),
    DOUBLED.format("'ab'", "{% set ns.x = '%s%s' % (ns.x, ns.x) %}"),
    DOUBLED.format("'<'", "{% set ns.x = ns.x | e ~ ns.x %}"),
    DOUBLED.format("[1]", "{% set ns.x = [ns.x, ns.x] %}"),
    DOUBLED.format("[1]", "{% set ns.x = {'a': ns.x, 'b': ns.x} %}"),
    DOUBLED.format("[1]", "{% set ns.x = ns.x + ns.x %}"),
    DOUBLED.format("3", "{% set ns.x = ns.x * ns.x %}"),
    "{{ 10 ** 100000000 }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ 'a'.center(1000000000) }}{{ 'a'.ljust(1000000000) }}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ messages | tojson(indent=1000000000) }}",
    "{{ 1.5 | round(1000000000) }}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
    "{% for i in range(90000) %}{% if 'a' * 100000 == 'a' * 99999 + 'b' %}{% endif %}{% endfor %}",
    "{{ [1] | batch(1000000000, 0) | list }}{{ lipsum(1000000) }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.append(1) }}",
    "{{ dict.fromkeys(range(99999)) }}",
    "{% include 'other' %}",
    "{{ strftime_now('%c' * 9999) }}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "-" * 50000 + "1 }}",
    "{{ " + "9" * 50000 + " }}",
    "{% if " + "1 == " * 20000 + "1 %}{% endif %}",
    "{% if 1 %}{% set x = 1 %}{% endif %}" * 3000,
    "{% for i in range(99999) %}" + "{{ i }}" * 5000 + "{% endfor %}",
    "{{ ('a' * 2000000).rfind('ab' + 'a' * 500000) }}",
    "{{ ('a' * 2000000).rsplit(sep='ab' + 'a' * 500000) }}",
    "{{ ('a' * 2000000).rpartition('ab' + 'a' * 500000) }}",
    "{{ ('a' * 2000000).strip('b' * 1000000 + 'a') }}",
    "{{ ('a' * 2000000) | trim('b' * 1000000 + 'a') }}",
    "{{ 'a ' * 500000 }}",
]


def peak_bytes():
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return save_tokenizer(tmp_path_factory.mktemp("template"), ["<image>"], CHAT)


@pytest.mark.parametrize("template", WRITTEN)
def test_what_a_template_writes_is_what_transformers_writes(tokenizer, template):
    expected = tokenizer.apply_chat_template(
        CONVERSATION, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    assert render("a model", tokenizer, template, CONVERSATION) == expected


@pytest.mark.parametrize("template", TOO_MUCH, ids=range(len(TOO_MUCH)))
def test_a_template_that_does_too_much_is_stopped(tokenizer, template):
    start, before = time.thread_time(), peak_bytes()
    with pytest.raises(ModelError, match="chat template of 'a model'") as error:
        render("a model", tokenizer, template, CONVERSATION)
    assert not isinstance(error.value.__cause__, MemoryError)
    assert time.thread_time() - start < SECONDS
    assert peak_bytes() - before < MEGABYTES * 1e6


def test_a_long_chat_is_looked_at_turn_by_turn(tokenizer):
    turns = [
        {"role": role, "content": [{"type": "text", "text": "why? " * 100}]}
        for role in ["user", "assistant"] * 300
    ]
    template = (
        "{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}"
        "{% if messages is iterable and messages[index:] | first is defined %}{{ m.get('role') }}"
        "{% endif %}{% endfor %}"
    )
    start = time.thread_time()
    written = render("a model", tokenizer, template, turns)
    assert written == "assistantuser" * 300
    assert time.thread_time() - start < 1.0


def test_long_conversations_about_long_videos_are_no_longer_than_templates_need(tokenizer):
    pictures = [{"type": "image"}] * 4000
    turns = [
        {"role": role, "content": [*shown, {"type": "text", "text": "why? " * 4000}]}
        for role, shown in [("user", pictures), ("assistant", []), ("user", [])] * 3
    ]
    for template in (CHAT, QWEN_CHAT, IDEFICS_CHAT, *WRITTEN[4:8]):
        assert render("a model", tokenizer, template, turns)
