"""Differences are shown whole."""

from __future__ import annotations

from sortition.subjectfiles.diff import three_way, unified


def test_a_unified_diff() -> None:
    assert unified("a\nb\n", "a\nc", "x/y.md") == (
        "--- a/x/y.md\n+++ b/x/y.md\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n"
    )
    assert unified("a", "a", "x") == ""


def shown(base: str, theirs: str, ours: str) -> list[str]:
    return three_way(base, theirs, ours, "x").splitlines()[3:]


def test_every_place_where_a_side_differs_is_shown_with_all_three_texts() -> None:
    base = "1\n2\n3\n4\n5\n6\n7\n"
    theirs = "0\n1\n2\n3\n4\nfive\n6\n7\n"
    ours = "1\n3\n4\n5!\n5?\n6\n7\n8\n"
    assert shown(base, theirs, ours) == [
        *("@@ base behind line 0 @@", "  base:  (nothing)", "  theirs:", "    0", "  ours:  (as in base)"),
        *("@@ base line 2 @@", "  base:", "    2", "  theirs:  (as in base)", "  ours:  (nothing)"),
        *("@@ base line 5 @@", "  base:", "    5", "  theirs:", "    five", "  ours:", "    5!", "    5?"),
        *("@@ base behind line 7 @@", "  base:  (nothing)", "  theirs:  (as in base)", "  ours:", "    8"),
    ]


def test_changes_that_touch_are_one_place() -> None:
    assert shown("1\n2\n3\n", "1\ntwo\n3\n", "1\n2\nthree\n")[0] == "@@ base lines 2 to 3 @@"
    assert shown("1\n2\n", "1\nx\n2\n", "one\n2\n") == [
        *("@@ base line 1 @@", "  base:", "    1", "  theirs:", "    1", "    x", "  ours:", "    one"),
    ]
