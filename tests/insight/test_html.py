"""Templates, tables and values in pages."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.insight.html import embed_json, fill, read_template, table


class Scripts(HTMLParser):
    """Collects what a browser takes for the content of script elements."""

    def __init__(self, page):
        super().__init__()
        self.inside, self.found = False, []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "script":
            self.inside = True
            self.found.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            self.found[-1] += data


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=10))
def test_a_browser_reads_back_any_values(values):
    page = f"<script>{embed_json(values)}</script>"
    assert [json.loads(script) for script in Scripts(page).found] == [values]


def test_no_text_ends_the_script_element():
    assert "<" not in embed_json({"</script><script>alert(1)": "<!--"})


def test_numbers_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        embed_json(float("nan"))


def test_names_are_filled_in_once_and_values_are_left_as_they_are():
    assert fill("{{a}}-{{b}}-{{a}}", {"a": "{{b}}", "b": "$1\\1"}) == "{{b}}-$1\\1-{{b}}"


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="b"):
        fill("{{a}}{{b}}", {"a": ""})


def test_templates_are_joined_in_order():
    both = read_template("base.css", "explain.css")
    assert both == read_template("base.css") + "\n" + read_template("explain.css")


def test_a_table_escapes_its_head_and_aligns_numbers():
    found = table(["a<b", "n"], [["<i>x</i>", "1"]], numbers=(1,))
    assert '<th>a&lt;b</th><th class="n">n</th>' in found
    assert '<td><i>x</i></td><td class="n">1</td>' in found
