from __future__ import annotations

import pickle

import pytest

from gatewaylog.exceptions import GatewaylogError
from gatewaylog.search import QueryError
from tests.search.access_log import planned, searched


def refused(query: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        list(searched(query).rows)
    return caught.value


def test_an_error_shows_the_query_a_caret_and_what_is_known() -> None:
    assert str(refused("* | stats cuont by API")) == (
        "* | stats cuont by API\n"
        "          ^^^^^\n"
        "the function cuont is not known here\n"
        "known: count, dc, sum, avg, min, max, stdev, values, list, first, last, earliest, latest, "
        "median, p95"
    )


def test_an_error_is_an_exception_of_ours_and_can_be_sent_to_another_process() -> None:
    error = refused("* | foo")
    assert isinstance(error, GatewaylogError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert (error.position, error.length) == (4, 3)


def test_a_query_of_several_lines_shows_the_line_that_is_wrong() -> None:
    assert str(refused("*\n| head 3\n| foo x")).startswith("| foo x\n  ^^^\n")


def test_control_characters_of_a_query_reach_no_terminal() -> None:
    assert "\x1b" not in str(refused("* | \x1b[31m"))


@pytest.mark.parametrize(
    ("query", "place", "message"),
    [
        ("(a OR b", "(", "this bracket is not closed"),
        ("a)", ")", "no bracket is open here"),
        ("a | where (x=1))", ")", "no bracket is open here"),
        ("StatusCode<>200", "<>", "<> is no comparison"),
        ("StatusCode=<200", "=<", "=< is no comparison"),
        ("StatusCode > > 200", "> >", "> > is no comparison"),
        ("API=!x", "=!", "=! is no comparison"),
        ("API===x", "===", "=== is no comparison"),
        ("a | where StatusCode<>200", "<>", "<> is no comparison"),
        ("API='x y'", "'x y'", "texts stand in double quotation marks here"),
        ("'x y'", "'x y'", "texts stand in double quotation marks here"),
        ("API IN ('x', y)", "'x'", "texts stand in double quotation marks here"),
        ("API in (x, y)", "in", "operators are in upper case"),
        ("API::x", "API::x", "API:: is Splunk's own and not known here"),
        ("earliest=-1h latest=now earliest=-2h", "earliest=-2h", "earliest= stands twice"),
        ("a | table 'x y'", "'x y'", "texts stand in double quotation marks here"),
        ("a | stats count by 'x y'", "'x y'", "texts stand in double quotation marks here"),
        ("a | rename x AS 'y z'", "'y z'", "texts stand in double quotation marks here"),
        ("a | fillnull value='x y'", "'x y'", "texts stand in double quotation marks here"),
        ("a | stats Count by API BY x", "BY", "BY is a word of the language"),
        ("a | stats count by by", "by", "BY is a word of the language"),
        ("a | chart count by API by x", "by", "BY is a word of the language"),
        ("a | top API BY x BY y", "BY", "BY is a word of the language"),
        ("a | table API AS x", "AS", "AS is a word of the language"),
        ("a | dedup by API", "by", "BY is a word of the language"),
        ("a | top -1 API", "-1", "a whole number is needed here"),
        ("a | rare -1 API", "-1", "a whole number is needed here"),
        ("a | dedup -1 API", "-1", "a whole number is needed here"),
        ("a | top 3, API", ",", "a field is missing here"),
        ("a | top 3| head", "", "a field is missing here"),
        ("a | table -API", "-API", "a field is missing here: none begins with -"),
        ("a | head 5 10", "10", "the number stands twice"),
        ("a | head 5 limit=10", "limit", "the number stands twice"),
        ("a | timechart span=1h count span=2h", "span", "the option span stands twice"),
        ("a | chart count by x span=1 span=2", "span", "the option span stands twice"),
        ("a | sort API asc", "asc", "the direction is a sign before the field"),
        ("a | sort API desc, x", "desc", "the direction is a sign before the field"),
        ("a | eval x=if(1)", "if", "if does not take 1 argument"),
        ('"abc', '"', "this quotation mark is not closed"),
        ("NOT", "NOT", "NOT needs a term after it"),
        ("a OR", "OR", "OR needs a term on both sides"),
        ("AND a", "AND", "AND needs a term on both sides"),
        ("a=", "=", "a value is missing here"),
        ("=a", "=a", "a field is missing before this"),
        ("Sta*=4", "Sta*", "wildcards are not known in the name of a field"),
        ("[search a]", "[search", "searches inside searches are not known"),
        ("`macro`", "`macro`", "macros are not known"),
        ("TERM(a)", "TERM(", "TERM( is not known here"),
        ("eventtype=a", "eventtype", "eventtype= is Splunk's own and not known here"),
        ("NOT index=a", "index=a", "an index is chosen by index=NAME, not excluded"),
        ("a OR earliest=-1h", "earliest=-1h", "earliest= holds for the whole search"),
        ("earliest=soon", "earliest=soon", "this is no time"),
        ("| head", "|", "a query begins with a search"),
        ("a |", "", "a command is missing here"),
        ("a | eval x", "", "= is missing here"),
        ("a | eval x=1=1", "1=1", "a condition is no value"),
        ("a | where x", "x", "a condition is needed here"),
        ("a | where x=1 and y=2", "and", "operators are in upper case"),
        ("a | where not x=1", "not", "operators are in upper case"),
        ("a | where lenn(x)=1", "lenn", "the function lenn is not known"),
        ("a | where len()=1", "len", "len does not take 0 arguments"),
        ("a | eval x=case(a=1)", "case", "case does not take 1 argument"),
        ("a | eval x=if(a, 1, 2)", "if", "argument 1 of if has to be a condition"),
        ('a | where match(x, "(")', '"("', "this is no regular expression"),
        ('a | eval x=strftime(1, "%E")', '"%E"', "%E is not known in a time"),
        ('a | eval x=tostring(1, "odd")', '"odd"', "this form is not known"),
        ("a | stats", "", "stats needs a function"),
        ("a | stats sum", "sum", "sum needs a field"),
        ("a | stats sum(a*)", "a*", "wildcards are not known here"),
        ("a | stats count by", "", "a field is missing after BY"),
        ("a | stats count count", "count", "there is another column count"),
        ("a | stats allnum=t count", "allnum", "the option allnum is not known here"),
        ("a | timechart span=1parsec count", "1parsec", "this is no span of time"),
        ("a | timechart span=0s count", "0s", "a span can't be 0"),
        ("a | timechart span=7ms count", "7ms", "a part of a second has to divide it"),
        ("a | timechart minspan=1m count", "minspan", "the option minspan is not known here"),
        ("a | timechart count by x y", "y", "timechart is split by one field"),
        ("a | chart count by x, y, z", ", ", "this is more than the command takes"),
        ("a | chart limit=few count by x", "few", "this is no limit"),
        ("a | top", "", "a field is missing here"),
        ("a | top useother=maybe x", "maybe", "this is neither true nor false"),
        ("a | head -1 x", "", ""),
        ("a | dedup 0 x", "0", "this has to be 1 or more"),
        ("a | dedup x sortby y", "y", "sortby is not known here"),
        ('a | rex "(?<x>"', '"(?<x>"', "this is no regular expression"),
        ('a | rex "x"', '"x"', "this expression has no named group"),
        ('a | rex mode=sed "y/a/b/"', '"y/a/b/"', "this is no replacement that is known"),
        ("a | bin x", "x", "a field of numbers needs span="),
        ("a | bin x span=1h", "1h", "a number greater than 0 is needed here"),
        ("a | rename x y", "y", "AS and the new name are missing here"),
        ("a | rename x* AS y", "y", "both names need as many wildcards"),
        ("a | transaction", "", "transaction needs a field"),
        ("a | transaction x y", "y", "transaction takes one field here"),
        ("a | stats count | search word", "word", "there are no lines any more"),
        ("a | search index=b", "index=b", "index= belongs to the search"),
    ],
)
def test_what_is_not_known_is_said_with_its_place(query: str, place: str, message: str) -> None:
    error = refused(query)
    assert message in error.message
    if place:
        assert (
            query[error.position :].startswith(place.strip())
            or place.strip() in query[max(error.position - 1, 0) : error.position + error.length]
        )


@pytest.mark.parametrize(
    "query",
    [
        'a | top limit=5 x | table "x y", "by", "-x", "\'q"',
        "a | chart count by x span=1, y span=2",
        "a | timechart span=1h count | timechart span=1h count",
        "it's O'Brien fe80::1 API=x'y",
        'API="<>" OR API="\'x\'" OR API IN ("in", in)',
        "a | sort -200, x desc",
        "a | where 'x y'=1 | eval 'x y'=2 | stats count(eval('x y'=2))",
    ],
)
def test_what_looks_like_these_is_taken(query: str) -> None:
    assert planned(query).query == query


@pytest.mark.parametrize(
    ("before", "cells"),
    [
        ("日本語", 6),
        ("ﾃｽﾄ", 3),  # half as wide
        ("cafe\u0301", 4),
        ("\u1112\u1161\u11ab", 2),  # one syllable, of three letters
        ("😀", 2),
        ("a\tb", 3),
        ("a\u200db", 3),  # shown as ?
        ("\x1b1m", 3),
        ("\udcff", 1),
    ],
)
def test_the_caret_stands_under_the_word_whatever_is_before_it(before: str, cells: int) -> None:
    shown = str(refused(f"{before} | statz")).splitlines()
    assert shown[1] == " " * (cells + len(" | ")) + "^" * len("statz")


def test_a_wide_word_has_carets_as_wide() -> None:
    assert str(refused("* | 日本")).splitlines()[1] == "    ^^^^"


def test_one_argument_is_no_arguments() -> None:
    assert refused("* | eval x=if(1)").message.endswith(" 1 argument")


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    for query in (
        "(" * 5000 + "a" + ")" * 5000,
        "NOT " * 5000 + "a",
        "* | where " + "(" * 5000 + "1=1" + ")" * 5000,
        "* | eval x=" + "+".join(["1"] * 5000),
        "* | eval x=" + "-" * 5000 + "1",
        "*" + " | head" * 5000,
    ):
        assert refused(query).message


def test_too_many_rows_of_a_chart_are_an_error_not_a_machine_without_memory() -> None:
    error = refused("* | timechart span=100ms count")
    assert error.message == "this span makes more than 50000 rows"
    assert error.query[error.position :].startswith("100ms")


def test_unknown_indexes_are_told_and_not_refused() -> None:
    plan = planned("index=a OR index=b")
    assert plan.indexes == ("a", "b")
    assert plan.unknown_indexes == ()
