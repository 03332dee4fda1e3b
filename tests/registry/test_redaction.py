"""URLs as they may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.registry.redaction import redacted, shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://r.example/v2/a/blobs/x", "https://r.example/v2/a/blobs/x"),
        ("https://r.example:8443/v2/", "https://r.example:8443/v2/"),
        ("https://me:s3cret@r.example/x", "https://r.example/x"),
        ("https://s3cret@r.example/x", "https://r.example/x"),
        ("https://me:s3@cret@r.example/x", "https://r.example/x"),
        ("https://r.example/x#s3cret", "https://r.example/x"),
        ("https://r.example/x?s3cret", "https://r.example/x?REDACTED"),
        ("https://r.example/x?sig=s3cret&se=1", "https://r.example/x?sig=REDACTED&se=REDACTED"),
        (
            "https://a.example/token?service=s&scope=repository:a:pull&password=s3cret",
            "https://a.example/token?service=s&scope=repository:a:pull&password=REDACTED",
        ),
        (
            "https://r.example/v2/a/tags/list?n=9&last=x",
            "https://r.example/v2/a/tags/list?n=9&last=x",
        ),
        ("https://r.example/x?n=1;sig=s3cret", "https://r.example/x?n=1&sig=REDACTED"),
        ("/blob?X-Amz-Signature=s3cret", "/blob?X-Amz-Signature=REDACTED"),
        ("https://me:s3cret@[r.example/x?s3cret", "[r.example/x"),
        ("", ""),
    ],
)
def test_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@given(st.text(alphabet=":/?#[]@&=; aé\\\n"), st.text(alphabet=":/?#[]@&=; aé\\\n"))
def test_no_password_and_no_signature_is_ever_shown(before: str, after: str) -> None:
    assert "s3cret" not in shown_url(f"https://me:s3cret@r.example/{after}")
    assert "s3cret" not in shown_url(f"https:me:s3cret@r.example/{after}")
    assert "s3cret" not in shown_url(f"https://r.example/x?{before}sig=s3cret{after}")


def test_urls_in_a_text_are_redacted_and_nothing_else() -> None:
    text = (
        "Failed: 'https://me:s3cret@s.example/x?sig=s3cret': "
        "Max retries exceeded with url: /blob?X-Amz-Signature=s3cret (Caused by timeout)\n"
        'File "/usr/lib/x.py", line 1, in <module>; is it? a/b?'
    )

    assert redacted(text) == (
        "Failed: 'https://s.example/x?sig=REDACTED': "
        "Max retries exceeded with url: /blob?X-Amz-Signature=REDACTED (Caused by timeout)\n"
        'File "/usr/lib/x.py", line 1, in <module>; is it? a/b?'
    )
