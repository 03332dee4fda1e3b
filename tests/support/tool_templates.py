"""Chat templates in the manner of the families that call tools, each with what sets it apart."""

from __future__ import annotations

HERMES = """\
{%- if tools %}
<|im_start|>system
<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools><|im_end|>
{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}
<|im_start|>user
<tool_response>{{ m.content }}</tool_response><|im_end|>
{% else %}
<|im_start|>{{ m.role }}
{{ m.content if m.content }}
{%- for call in m.tool_calls or [] %}
{%- set f = call.function %}
<tool_call>{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}</tool_call>
{%- endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""Arguments as an object; content may be empty."""

QWEN3 = HERMES.replace(
    "{{ m.content if m.content }}",
    "{{ m.content.split('</think>')[-1] if '</think>' in m.content else m.content }}",
)
"""Looks into the content, which must be text."""

LLAMA3 = """\
{%- if not tools is defined %}{% set tools = none %}{% endif %}
{{- bos_token }}
{%- for m in messages %}
{%- if 'tool_calls' in m %}
{%- if m.tool_calls|length != 1 %}{{ raise_exception('one call at a time') }}{% endif %}
{%- set call = m.tool_calls[0].function %}
[assistant]{"name": "{{ call.name }}", "parameters": {{ call.arguments | tojson }}}<|eot_id|>
{%- elif m.role in ('tool', 'ipython') %}
[ipython]{{ m.content | tojson }}<|eot_id|>
{%- else %}
[{{ m.role }}]
{%- for tool in tools or [] if loop.last %}{{ tool | tojson(indent=4) }}{% endfor %}
{{- m.content | trim }}<|eot_id|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
[assistant]
{%- endif %}"""
"""One call a message; the calls' presence is asked for by `in`."""

MISTRAL = """\
{{- bos_token }}
{%- for m in messages %}
{%- if m.role == 'user' %}
{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
[INST]{{ m.content }}[/INST]
{%- elif m.tool_calls is defined and m.tool_calls is not none %}
[TOOL_CALLS][
{%- for call in m.tool_calls %}
{%- set out = call.function | tojson %}
{{- out[:-1] }}
{%- if call.id | length != 9 %}{{ raise_exception('nine letters') }}{% endif %}
, "id": "{{ call.id }}"}{{ ', ' if not loop.last }}
{%- endfor %}]{{ eos_token }}
{%- elif m.role == 'tool' %}
{%- if m.tool_call_id | length != 9 %}{{ raise_exception('nine letters') }}{% endif %}
[TOOL_RESULTS]{"content": {{ m.content }}, "call_id": "{{ m.tool_call_id }}"}[/TOOL_RESULTS]
{%- elif m.role == 'assistant' %}
{{ m.content }}{{ eos_token }}
{%- else %}{{ raise_exception('no such role') }}
{%- endif %}
{%- endfor %}"""
"""No system message; IDs of nine letters."""

MISTRAL_NAMED = """\
{%- if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]
{%- elif m.tool_calls %}
{%- for call in m.tool_calls %}
{%- set arguments = call.function.arguments %}
{{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' }}
{{- arguments if arguments is string else arguments | tojson }}
{%- endfor %}{{ eos_token }}
{%- else %}[{{ m.role }}]{{ m.content }}
{%- endif %}
{%- endfor %}"""

DEEPSEEK = """\
{%- for m in messages %}
{%- if m.role == 'assistant' and m.content is none %}
{%- for call in m.tool_calls %}
{{- '<call>' + call.function.name + '\\n' + call.function.arguments + '</call>' }}
{%- endfor %}
{%- elif m.role == 'tool' %}<result>{{ m.content }}</result>
{%- else %}<{{ m.role }}>{{ m.content }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<assistant><think>
{% endif %}"""
"""Calls only where there is no content, arguments as text; the reply begins in the reasoning."""

SMOLLM3 = """\
{%- if xml_tools %}<tools>{% for tool in xml_tools %}{{ tool | string }}{% endfor %}</tools>
Call them as <tool_call>{"name": …}</tool_call>.
{%- endif %}
{%- for m in messages %}
{%- if m.role == 'tool' %}
<|im_start|>user
{{ m.content }}<|im_end|>
{%- else %}
<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
<|im_start|>assistant
{% endif %}"""
"""Has its tools in `xml_tools`, and leaves calls out."""
