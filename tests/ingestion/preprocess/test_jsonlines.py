"""JSON Lines: texts by name, digits as written, and a fault for what nobody could read one way."""

import pytest

from ingestion.preprocess import jsonlines


def cells(line: bytes) -> dict[str, str]:
    value = jsonlines.parse(line)
    return {name: jsonlines.pick(value, name) for name in jsonlines.names([value])}


def test_objects_inside_are_columns_of_json_and_of_dotted_names() -> None:
    assert cells(b'{"a":{"b":{"c":1},"d":[1,{"e":2}]},"f":null}') == {
        "a": '{"b":{"c":1},"d":[1,{"e":2}]}',
        "a.b": '{"c":1}',
        "a.b.c": "1",
        "a.d": '[1,{"e":2}]',
        "f": "",
    }


def test_digits_stay_as_they_were_written() -> None:
    assert cells(b'{"price":1.50,"big":12345678901234567890123,"e":1e999,"in":[2.10]}') == {
        "price": "1.50",
        "big": "12345678901234567890123",
        "e": "1e999",
        "in": "[2.10]",
    }


def test_a_name_with_a_dot_comes_before_the_way_inside() -> None:
    assert jsonlines.pick({"a.b": 1, "a": {"b": 2}}, "a.b") == "1"
    assert jsonlines.pick({"a": {"b.c": 3}}, "a.b.c") == "3"
    assert jsonlines.pick({"a": 1}, "a.b") == ""


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"a":1,"a":2}', "twice_in_object"),
        (b'{"a":{"b":1,"b":1}}', "twice_in_object"),
        (b'{"a":NaN}', "not_json_line"),
        (b'{"a":Infinity}', "not_json_line"),
        (b'{"a":1} and more', "not_json_line"),
        (b"[1]", "not_json_line"),
        (b'"text"', "not_json_line"),
        (b'{"a":"\\ud800"}', "not_json_line"),
        (b'{"a":"\\u0000"}', "nul_byte"),
        (b'{"a":' * 100_000, "not_json_line"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "not_json_line"),
        (b'{"a":' + b"9" * 5_000 + b"}", "not_json_line"),
    ],
)
def test_what_nobody_can_read_one_way_is_a_fault(line, code) -> None:
    with pytest.raises(jsonlines.Broken) as broken:
        jsonlines.parse(line)
    assert str(broken.value) == code


def test_marks_inside_of_texts_are_no_names() -> None:
    assert cells(b'{"a":"say \\"x\\": y"}') == {"a": 'say "x": y'}
