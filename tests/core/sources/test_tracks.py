"""Which subtitles of a page are taken, and what is said of the others."""

import pytest

pytest.importorskip("yt_dlp")

from framesift.sources.tracks import chosen_track


def named(*languages, query=""):
    return {
        name: [{"ext": "vtt", "url": f"https://a.example/{name}?{query}"}] for name in languages
    }


def machine(heard, *translated):
    """Captions as YouTube's: one that was heard, and its translations."""
    return named(heard, f"{heard}-orig") | named(*translated, query="tlang=x")


def chosen(*languages, **info):
    track, line = chosen_track(info, languages)
    return (track and f"{track.language} {track.kind}"), line


def test_what_people_wrote_goes_before_a_translation_into_a_language_preferred():
    for languages in (("en", "de"), ("en",)):
        taken, line = chosen(
            *languages, subtitles=named("de"), automatic_captions=machine("de", "en", "fr")
        )
        assert taken == "de by people"
        assert "not taken were 'en' translated by a machine" in line
        assert "'fr'" not in line, "nobody asked for it"


@pytest.mark.parametrize(
    ("languages", "subtitles", "automatic", "taken"),
    [
        (("de", "en"), named("en", "de"), {}, "de by people"),
        (("en", "de"), named("en", "de"), {}, "en by people"),
        (("fr", "de"), named("en", "de"), {}, "de by people"),
        (("de", "en"), named("en"), machine("de"), "en by people"),
        (("de",), named("fr"), machine("de", "fr"), "de heard by a machine"),
        (("de",), {}, machine("en", "de", "fr"), "de translated by a machine"),
        (("de", "en"), {}, machine("en", "de"), "en heard by a machine"),
        (("fr",), named("de", "en"), machine("en", "fr"), "en by people"),
        (("pt-BR", "pt"), named("pt", "pt-BR"), {}, "pt-BR by people"),
        (("en",), named("en-GB", "en-US"), {}, "en-GB by people"),
        (("de",), named("ger", "eng"), {}, "ger by people"),
        (("DE",), named("de"), {}, "de by people"),
        (("fr",), {}, machine("en", "de"), None),
        (("en-US",), named("de", "en"), {}, "en by people"),
        (("de-AT",), {}, machine("de", "en"), "de heard by a machine"),
        (("en-US",), named("de", "en-GB", "en", "en-US"), {}, "en-US by people"),
        (("zh-Hant",), named("zh-Hans", "zh"), {}, "zh by people"),
        (("he",), named("en", "iw"), {}, "iw by people"),
        (("iw",), named("en", "he"), {}, "he by people"),
        (("nb",), named("en", "no"), {}, "no by people"),
        (("de-AT",), named("en", "ger"), {}, "ger by people"),
    ],
)
def test_people_then_what_was_heard_then_translations(languages, subtitles, automatic, taken):
    found, _ = chosen(*languages, subtitles=subtitles, automatic_captions=automatic, language="en")
    assert found == taken


def test_nothing_is_said_where_the_first_wish_is_granted():
    for info in (
        {"subtitles": named("en", "de", "fr")},
        {"automatic_captions": machine("en", "de")},
        {},
        {"subtitles": {"en": []}, "automatic_captions": None},
    ):
        assert chosen("en", **info)[1] == ""


def test_what_is_there_is_said_where_nothing_is_taken():
    taken, line = chosen("fr", automatic_captions=named("de", *(f"x{n}" for n in range(20))))
    assert taken is None
    assert "no subtitles in 'fr' were found; not taken were 'de' heard by a machine" in line
    assert "and 15 more" in line
    assert "(language=...)" in line


ODD = [None, 5, "vtt", [None], [5], [{}], [{"ext": "vtt"}], [{"ext": ["vtt"], "url": "x"}], {}]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_tracks_of_any_shape_cost_themselves_alone(odd):
    for field in ("subtitles", "automatic_captions"):
        assert chosen("en", **{field: odd})[0] is None
        assert chosen("en", **{field: {"en": odd, 5: odd, None: odd}})[0] is None
        kind = "by people" if field == "subtitles" else "heard by a machine"
        assert chosen("en", **{field: {"en": odd} | named("en-GB")})[0] == f"en-GB {kind}"
