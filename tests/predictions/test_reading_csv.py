"""Rows come out of a table typed by the schema, or the table is refused with a clear sentence."""

from typing import Any

import pytest

from mlservice.lib.errors import InvalidRequest
from predictions.csv import decode, read_table, write_table

SCHEMA: dict[str, Any] = {
    "properties": {
        "carat": {"type": "number"},
        "stones": {"type": "integer"},
        "cut": {"type": "string", "enum": ["Fair", "Very Good"]},
        "lab": {"type": ["string", "null"]},
        "set": {"type": "boolean"},
    },
    "required": ["carat", "stones", "cut", "set"],
}
HEADER = "carat,stones,cut,lab,set\n"
ROW = {"carat": 0.5, "stones": 1, "cut": "Fair", "lab": "GIA", "set": True}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_table_is_read_with_any_delimiter_and_line_end(delimiter: str, line_end: str) -> None:
    text = f"{HEADER}0.5,1,Fair,GIA,true\n".replace(",", delimiter).replace("\n", line_end)

    assert read_table(text, SCHEMA).rows == [ROW]


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    uploaded = decode(b"\xef\xbb\xbf" + f"{HEADER}0.5,1,Fair,GIA,true".encode())

    assert read_table(uploaded, SCHEMA).rows == [ROW]
    assert read_table(f"\ufeff{HEADER}0.5,1,Fair,GIA,true", SCHEMA).rows == [ROW]


def test_columns_may_stand_in_any_order_and_blank_lines_are_skipped() -> None:
    text = "\nset, cut ,lab,stones,carat\n\n1,Fair,GIA,1,0.5\n,,,,\n"

    assert read_table(text, SCHEMA).rows == [ROW]


def test_quotes_hold_delimiters_and_line_ends_together() -> None:
    rows = read_table(HEADER + '0.5, 1,"Very Good","G,\n""I""A",false\n', SCHEMA).rows

    assert rows[0]["lab"] == 'G,\n"I"A'
    assert rows[0]["cut"] == "Very Good"


def test_an_empty_cell_is_null_where_the_column_may_be_and_missing_elsewhere() -> None:
    rows = read_table(f"{HEADER},1,Fair, ,true\n", SCHEMA).rows

    assert rows == [{"stones": 1, "cut": "Fair", "lab": None, "set": True}]


@pytest.mark.parametrize("text", ["1_000", "inf", "nan", "1e999", "٣", "0x1", "1" * 400, "a"])
def test_what_is_no_plain_number_stays_the_text_it_was(text: str) -> None:
    rows = read_table(f'{HEADER}"{text}",1,Fair,GIA,true\n', SCHEMA).rows

    assert rows[0]["carat"] == text


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("-.5", -0.5), ("1e3", 1000.0), ("+2.", 2.0), (" 0.5 ", 0.5)]
)
def test_a_plain_number_is_typed(text: str, number: float) -> None:
    rows = read_table(f"{HEADER}{text},1,Fair,GIA,true\n", SCHEMA).rows

    assert rows[0]["carat"] == number


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("0.5,1,Fair,GIA,true\n", "first line must name the columns"),
        (HEADER, "no row under its header"),
        ("carat,carat,stones,cut,set\n", "names a column twice: carat"),
        ("carat,stones,cut,set,price\n", "remove it: price"),
        ("carat,stones,cut,set,\n", "no name: 5"),
        ("carat,stones,cut\n", "lacks a column: set"),
        (f"{HEADER}0.5,1,Fair,GIA\n", "Line 2 has 4 cells; the header has 5"),
        (f"{HEADER}0.5,1,Fair,GIA,true,9\n", "Line 2 has 6 cells; the header has 5"),
        (f'{HEADER}0.5,1,Fair,GIA,true\n0.5,1,"Fair,GIA,true\n1,1\n', "Line 3: a quotation mark"),
        (f"{HEADER}0.5,1,Fa\0ir,GIA,true\n", "NUL bytes"),
        (f'{HEADER}"0,5",1,Fair,GIA,true\n', "Line 2: Write decimals with a point, as 0.5"),
        (f"{HEADER}-1,25,Fair,GIA,true\n".replace(",", ";").replace("1;25", "1,25;1"), "as -1.25"),
        (HEADER + "0.5,1,Fair,GIA,true\n" * 1_001, "more than 1000 rows"),
        (f"{HEADER}{'a' * 200_000},1,Fair,GIA,true\n", "Line 2"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_table(text, SCHEMA)

    assert complaint in str(refused.value.detail)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (HEADER.encode("utf-16"), "UTF-16"),
        ("караты;огранка\n".encode("cp1251"), "not UTF-8"),
        (b"PK\x03\x04\xff\xd8", "not UTF-8"),
    ],
)
def test_another_encoding_is_refused_by_its_name(content: bytes, complaint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode(content)

    assert complaint in str(refused.value.detail)


def test_utf_16_without_its_mark_is_refused_for_its_nul_bytes() -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        read_table(decode(HEADER.encode("utf-16-le")), SCHEMA)


def test_written_cells_cannot_become_formulas() -> None:
    written = write_table(["=a"], [["=1+1"], ["+cmd"], ["-5"], [-5.5], ["@x"], ["\tx"], ["plain"]])

    assert written.splitlines() == ["'=a", "'=1+1", "'+cmd", "-5", "-5.5", "'@x", "'\tx", "plain"]
