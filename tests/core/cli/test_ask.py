import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framesift import VideoCompressor, cli, open_video
from framesift.testing import TINY_VLMS

CLIP = "synthetic://mixed?seconds=4&width=160&height=90"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    TINY_VLMS["llava"].build(folder)
    return folder


@pytest.fixture
def find(monkeypatch, capsys):
    """Runs `framesift find` in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", "find", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def ask(monkeypatch, capsys, folder):
    """Runs `framesift ask` in this process; returns exit code, stdout and stderr."""

    def call(*arguments, vlm=folder):
        given = ["framesift", "ask", *map(str, arguments), "--vlm", str(vlm)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


def test_the_answer_comes_first_then_evidence_and_usage(ask):
    code, out, _ = ask(CLIP, "What is it?", "--max-new-tokens", "6", "--keep", "0.25")
    words, mark, rest = out.partition("\nevidence  ")
    assert code == 0
    assert words
    assert mark
    kinds = [line.split()[0] for line in rest.splitlines()[1:]]
    assert [kind for kind in kinds if kind != "evidence"] == ["tokens", "seconds", "cache"]
    assert "64 -> 16 visual (25.0% kept)" in out
    assert "attended to by the answer" in out


def test_json_is_the_answer_and_streaming_prints_the_same_words(ask):
    options = ("--max-new-tokens", "6", "--evidence", "attention")
    code, out, _ = ask(CLIP, "What is it?", *options, "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["usage"]["finish_reason"] == "length"
    assert answer["evidence"][0]["reason"].startswith("attended to by the answer")
    code, out, _ = ask(CLIP, "What is it?", *options, "--stream")
    assert code == 0
    assert out.startswith(answer["text"] + "\n")


def test_several_sources_are_named(ask, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        Image.fromarray(pixels).save(path)
    code, out, _ = ask(*paths, "Which?", "--max-new-tokens", "3", "--keep", "1")
    assert code == 0
    assert "32 -> 32 visual" in out
    found = [line for line in out.splitlines() if line.startswith("evidence")]
    assert found
    assert all(line.endswith(".png") for line in found)


def test_a_draw_is_repeatable(ask):
    options = ("--temperature", "1.5", "--seed", "4", "--max-new-tokens", "8")
    first, again = (ask(CLIP, "What?", *options)[1].splitlines()[0] for _ in range(2))
    assert first == again
    cut = ask(CLIP, "What?", *options, "--stop", first[3])[1].splitlines()[0]
    assert cut == first[: first.index(first[3])].strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([CLIP, ""], "is empty"),
        ([CLIP], "URI"),
        (["no-such.mp4", "What?"], "no-such.mp4"),
        ([CLIP, "What?", "--stream", "--json"], "--stream and --json"),
        ([CLIP, "What?", "--evidence", "guess"], "guess"),
        ([CLIP, "What?", "--temperature", "-1"], "temperature=-1.0"),
        ([CLIP, "What?", "--max-new-tokens", "600"], "exceed the 512"),
    ],
)
def test_bad_input_is_one_line(ask, arguments, message):
    code, out, err = ask(*arguments)
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.startswith("framesift: ")]
    assert len(lines) == 1
    assert message in lines[0]


def test_an_unknown_model_names_what_there_is(ask):
    code, _, err = ask(CLIP, "What?", vlm="no-such-model")
    assert code == 2
    assert "llava" in err


@pytest.mark.parametrize("options", [(), ("--json",), ("--stream",)])
def test_the_toy_says_once_on_stderr_that_it_knows_no_real_footage(ask, tmp_path, options):
    path = tmp_path / "talk.png"
    Image.new("RGB", (64, 48)).save(path)
    given = (path, "What color is the car?", "--max-new-tokens", "2", *options)
    code, out, err = ask(*given, vlm="tiny")
    assert code == 0
    assert err.startswith("warning   'tiny' was trained on synthetic:// videos only")
    assert err.count("synthetic://") == err.count("\n") == 1
    assert "--vlm" in err
    assert "llava-hf/" in err
    if "--json" in options:
        assert json.loads(out)["warnings"][0] in err
    _, _, err = ask(CLIP, "What is it?", "--max-new-tokens", "2", *options, vlm="tiny")
    assert err == ""


NUMBER = "synthetic://number?seed=3"


def test_found_is_printed_as_evidence_is(find):
    code, out, err = find(NUMBER, "What number flashes?", "--count", "1")
    assert (code, err) == (0, "")
    assert out.startswith("found     3.00 - 4.00 s  box 0.62 0.25 1.00 0.62  attended to")
    assert out.count("\n") == 1
    _, out, _ = find(NUMBER, "What number flashes?", "--json")
    found = json.loads(out)
    assert (found["uri"], found["query"]) == (NUMBER, "What number flashes?")
    assert (found["moments"][0]["start_seconds"], found["warnings"]) == (3.0, [])


def test_what_is_said_in_a_stretch_is_printed_below_it(find, tmp_path):
    with open_video(NUMBER) as video:
        path = tmp_path / "talk.mp4"
        path.write_bytes(video.path.read_bytes())
    path.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:02,000\na boxing glove\n")
    code, out, err = find(path, "the glove")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "found     1.00 - 2.00 s  the text has 'glove' of the query",
        "          a boxing glove",
    ]


def test_nothing_found_is_a_line_and_no_error(find):
    line = f"nothing in {NUMBER!r} is like 'a red star'"
    assert find(NUMBER, "a red star") == (0, f"{line}\n", "")
    code, out, err = find(NUMBER, "a red star", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "uri": NUMBER,
        "query": "a red star",
        "moments": [],
        "warnings": [line],
    }


@pytest.mark.parametrize("given", [(NUMBER, " "), (NUMBER, "x", "--count", "0"), ("no.mp4", "x")])
def test_what_cannot_be_looked_for_is_one_line_and_exit_code_two(find, given):
    code, out, err = find(*given)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_toy_says_on_stderr_that_what_it_finds_in_real_footage_means_nothing(
    find, tmp_path, options
):
    path = tmp_path / ("a" * 60) / ("b" * 60) / "talk.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(path)
    code, out, err = find(path, "a dog", *options)
    assert code == 0
    assert "talk.png' is like" in out
    assert "talk.png' means nothing" in err
    assert err.startswith("warning   'tiny' was trained on synthetic:// videos only")
    assert err.count("\n") == 1


def test_the_text_of_saved_tokens_is_searched_where_a_reader_is_named(find, tmp_path):
    with open_video("synthetic://number?seed=3&seconds=3&width=96&height=64") as made:
        talk = Path(shutil.copy(made.path, tmp_path / "talk.mp4"))
    talk.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nThe glove is red\n")
    VideoCompressor(vlm="tiny").compress(str(talk)).save(tmp_path / "saved")
    code, out, _ = find(tmp_path / "saved", "glove", "--text", "subtitles", "--json")
    (moment,) = json.loads(out)["moments"]
    assert (code, moment["start_seconds"], moment["text"]) == (0, 1.0, "The glove is red")


def test_in_tokens_that_were_saved_the_toy_says_so_once(find, tmp_path, caplog):
    Image.new("RGB", (64, 48)).save(tmp_path / "talk.png")
    sift = VideoCompressor(vlm="tiny")
    sift.compress(str(tmp_path / "talk.png")).save(tmp_path / "talk")
    code, _, err = find(tmp_path / "talk", "a dog")
    assert code == 0
    assert err.startswith("warning   'tiny' was trained on synthetic:// videos only")
    assert err.count("means nothing") == 1
    assert caplog.records == []
