import pytest

from scripts.house.rules import inline_script
from tests.unit.house.trial import lines_found

TEMPLATE = "app/web/templates/agent/tickets/show.html"


@pytest.mark.parametrize(
    "markup",
    [
        '<button hx-on:click="go()">',
        '<button hx-on="click: go()">',
        '<button data-hx-on:click="go()">',
        '<button onclick="go()">',
        '<p style="color: red">',
        "<p STYLE=x>",
        '<p class="{{ \'"\' }}" style="x">',
        '<p {% if late %}style="color: red"{% endif %}>',
        "<script>go()</script>",
        '<script nonce="{{ nonce }}">go()</script>',
        "<style>p { color: red }</style>",
        """<a hx-vals='js:{"x": 1}'>""",
        '<a href="javascript:go()">',
    ],
)
def test_it_refuses_what_the_policy_refuses(markup: str) -> None:
    assert lines_found(inline_script, f"<main>\n{{# a\ncomment #}}\n{markup}\n</main>", at=TEMPLATE) == [4]


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="/static/desk.js" defer></script>',
        '<link rel="stylesheet" href="/static/desk.css">',
        '<button hx-post="/tickets/1/closure" hx-target="#ticket" data-online="yes">',
        """<a hx-vals='{"x": 1}' href="/tickets">onclick=</a>""",
        "{# style= and <script> in a comment #}",
        "{{ '<script>' }}",
        "<p>style=</p>",
    ],
)
def test_it_accepts_files_and_plain_htmx(markup: str) -> None:
    assert lines_found(inline_script, markup, at=TEMPLATE) == []


def test_it_looks_at_templates_only() -> None:
    assert lines_found(inline_script, "<p style=x>", at="app/outbox/letter.html") == []
