"""What is said becomes lines at the times at which it is said."""

import os
import re
import sys
import tracemalloc
from collections import Counter

import numpy as np
import pytest

import framesift
from framesift.errors import InvalidOptionError, MissingDependencyError, ModelError
from framesift.readers import registry, speech
from framesift.run import on_progress
from framesift.testing.videos import write_video
from framesift.testing.whisper import tiny_whisper
from spoken import RATE, film, number_in, silence, tone, voice


class ToneEar:
    """Hears tones instead of words: one line for each second of a stretch, with its number."""

    called, languages, at_once = "ear", frozenset({"en", "de"}), 2

    def __init__(self):
        self.batches, self.asked = [], []

    def hear(self, stretches, language, *, varied=False):
        self.batches.append([len(samples) / RATE for samples in stretches])
        self.asked.append((language, varied))
        return [self._lines(samples) for samples in stretches]

    def _lines(self, samples):
        lines = []
        for start in range(0, len(samples) - RATE // 4, RATE // 2):
            part = samples[start : start + RATE // 2]
            if np.abs(part).max() > 0.2:
                span = start / RATE, (start + len(part)) / RATE
                lines.append(speech.Heard(*span, f" {number_in(part)}", 0.5))
        return lines


@pytest.fixture
def ear(monkeypatch):
    ear = ToneEar()
    monkeypatch.setattr(speech, "load_whisper", lambda *_: ear)
    return ear


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whisper"))


def transcript(path, spec, **options):
    return framesift.VideoCompressor(text=spec, **options).transcript(str(path))


def spec_of(folder, **options):
    return ",".join([f"speech:model={folder}", *(f"{key}={options[key]}" for key in options)])


def test_lines_lie_where_they_are_said_and_silence_is_not_heard(tmp_path, ear):
    heard = np.concatenate([silence(2), tone(1), silence(6), tone(2, 2.0), silence(3)])
    found = transcript(film(tmp_path / "a.mp4", heard), spec_of(tmp_path))
    spans = {line.text: (line.start_seconds, line.end_seconds) for line in found.lines}
    assert set(spans) >= {"1", "2"}
    assert all(1.6 < line.start_seconds < 3.1 for line in found.lines if line.text == "1")
    assert all(8.6 < line.start_seconds < 11.1 for line in found.lines if line.text == "2")
    assert sum(map(sum, ear.batches)) < 5.0
    assert {line.source for line in found.lines} == {"speech"}
    assert {line.confidence for line in found.lines} == {0.5}
    assert found.readings[0].lines == len(found.lines)


def test_long_speech_is_cut_in_its_pauses_and_no_second_is_lost(tmp_path, ear):
    spoken = [np.concatenate([tone(number, 1.6), silence(0.4)]) for number in range(22)]
    found = transcript(film(tmp_path / "a.mp4", np.concatenate(spoken)), spec_of(tmp_path))
    lengths = ear.batches[0]
    assert max(lengths) <= 30.0
    assert min(lengths[:-1]) >= 20.0
    heard = {int(line.text): line.start_seconds for line in found.lines}
    assert sorted(heard) == list(range(22))
    assert all(2 * number <= start < 2 * number + 2 for number, start in heard.items())
    starts = [line.start_seconds for line in found.lines]
    assert starts == sorted(starts)
    # Where a cut lies within a tone, a wrong number would be heard beside it.
    assert max(Counter(line.text for line in found.lines).values()) <= 5


def test_a_part_alone_is_heard_on_the_clock_of_the_whole(tmp_path, ear):
    path = film(tmp_path / "a.mp4", np.concatenate([tone(number) for number in range(8)]))
    found = transcript(f"{path}#t=3,5", spec_of(tmp_path))
    assert {line.text for line in found.lines} == {"3", "4"}
    assert all(3.0 <= line.start_seconds < line.end_seconds <= 5.0 for line in found.lines)


def test_progress_ascends_to_the_end_and_a_listener_ends_the_work(tmp_path, ear):
    path = film(tmp_path / "a.mp4", np.concatenate([tone(1), silence(4), tone(2), silence(4)]))
    steps = []
    with on_progress(lambda step: steps.append((step.stage, step.done, step.total))):
        transcript(path, spec_of(tmp_path, batch_size=1))
    heard = [(done, total) for stage, done, total in steps if stage == "hear"]
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert len(heard) >= 4
    assert heard[0][0] == 0
    assert heard[-1][0] == heard[-1][1]
    ear.batches.clear()

    def stop(step):
        if step.stage == "hear" and step.done:
            raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"), on_progress(stop):
        transcript(path, spec_of(tmp_path, batch_size=1, language="de"))
    assert len(ear.batches) == 1


def test_text_that_loops_is_heard_again_without_repeats(tmp_path, ear, monkeypatch):
    looping = [speech.Heard(0.0, 1.0, "you know " * 40, 0.9)]
    monkeypatch.setattr(ear, "_lines", lambda samples: list(looping))
    transcript(film(tmp_path / "a.mp4", tone(1, 2.0)), spec_of(tmp_path, language="de"))
    assert ear.asked == [("de", False), ("de", True)]


def test_what_was_heard_before_a_run_was_cut_off_is_not_heard_again(tmp_path, ear, monkeypatch):
    spoken = np.concatenate([tone(1), silence(4), tone(2), silence(4), tone(3)])
    path, kept = film(tmp_path / "a.mp4", spoken), tmp_path / "kept"
    spec = spec_of(tmp_path, batch_size=1)
    hear = ear.hear

    def cut_off(stretches, language, *, varied=False):
        if len(ear.batches) == 2:
            raise KeyboardInterrupt
        return hear(stretches, language, varied=varied)

    monkeypatch.setattr(ear, "hear", cut_off)
    with pytest.raises(KeyboardInterrupt):
        transcript(path, spec, text_folder=kept)
    monkeypatch.setattr(ear, "hear", hear)
    found = transcript(path, spec, text_folder=kept)
    assert list(dict.fromkeys(line.text for line in found.lines)) == ["1", "2", "3"]
    assert len(ear.batches) == 3
    assert transcript(path, spec, text_folder=kept).lines == found.lines
    assert len(ear.batches) == 3


def test_lines_of_which_the_model_is_not_sure_are_left_out(tmp_path, ear):
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    assert transcript(path, spec_of(tmp_path, min_confidence=0.6)).lines == ()


def test_lines_beyond_the_sound_are_left_out_and_text_is_one_line_of_text(
    tmp_path, ear, monkeypatch
):
    wild = [
        speech.Heard(0.5, 90.0, " <|en|>\n<b>שלום</b>\tworld ", 0.9),
        speech.Heard(4.0, 5.0, "after the end", 0.9),
        speech.Heard(0.5, 0.6, " \n ", 0.9),
    ]
    monkeypatch.setattr(ear, "_lines", lambda samples: wild)
    (line,) = transcript(film(tmp_path / "a.mp4", tone(1, 2.0)), spec_of(tmp_path)).lines
    assert line.text == "<|en|> <b>שלום</b> world"
    assert (line.start_seconds, round(line.end_seconds, 1)) == (0.5, 2.0)


def test_a_tiny_whisper_hears_the_same_each_time_and_each_language_otherwise(tmp_path, whisper):
    path = film(tmp_path / "a.mp4", np.concatenate([silence(1), tone(4, 2.0), silence(1)]))
    found = {
        language: transcript(path, spec_of(whisper, **({"language": language} if language else {})))
        for language in ("en", "de", "fr", None)
    }
    texts = {language: [line.text for line in each.lines] for language, each in found.items()}
    assert all(texts.values())
    assert texts["en"] != texts["de"]
    assert texts[None] in (texts["en"], texts["de"], texts["fr"])
    assert transcript(path, spec_of(whisper, language="de")).lines == found["de"].lines
    for line in found["de"].lines:
        assert 0.6 <= line.start_seconds < 3.4
        assert line.start_seconds <= line.end_seconds <= 3.4
        assert 0 < line.confidence <= 1


def test_a_voice_is_heard_where_it_speaks(tmp_path, whisper):
    spoken = voice("A red glove lies on the seesaw.", tmp_path)
    path = film(tmp_path / "a.mp4", np.concatenate([silence(3), spoken, silence(4)]))
    lines = transcript(path, spec_of(whisper, language="en")).lines
    assert lines
    assert all(2.6 <= line.start_seconds < 3.4 + len(spoken) / RATE for line in lines)


def test_a_video_without_sound_loads_no_model_and_goes_on(tmp_path):
    path = write_video(tmp_path / "mute.mp4")
    found = transcript(path, "speech:model=no-such/model")
    assert found.lines == ()
    assert any("has no sound" in line for line in found.warnings)
    assert framesift.VideoCompressor(text="speech:model=no-such/model").segments(str(path))


def test_a_picture_says_nothing_and_lacks_no_sound(tmp_path):
    import PIL.Image

    PIL.Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    found = transcript(tmp_path / "a.png", "speech:model=no-such/model")
    assert (found.lines, found.warnings) == ((), [])


@pytest.mark.parametrize("language", ["klingon", "EN", "", "en-US"])
def test_an_unknown_language_is_one_line_before_any_work(language):
    with pytest.raises(InvalidOptionError, match=r"give a code \(af, .*, zh\), or None"):
        framesift.VideoCompressor(text=registry.get("speech")(language=language))


def test_a_language_that_the_model_does_not_understand_is_one_line(tmp_path, whisper):
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    with pytest.raises(InvalidOptionError, match=r"'it' is not understood .* de, en, fr; leave"):
        transcript(path, spec_of(whisper, language="it"))


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_without_one_of_its_files_is_one_line(tmp_path, whisper, missing):
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in whisper.iterdir():
        if file.name != missing and not (
            missing == "tokenizer.json" and file.name.startswith("tokenizer")
        ):
            (folder / file.name).write_bytes(file.read_bytes())
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    with pytest.raises(ModelError, match="'cut'") as caught:
        transcript(path, spec_of(folder))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_files_of_ctranslate2_that_are_not_all_there_are_named(tmp_path):
    pytest.importorskip("faster_whisper")
    folder = tmp_path / "converted"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"x")
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    with pytest.raises(ModelError, match=r"lacks config.json, tokenizer.json, vocabulary.txt"):
        transcript(path, spec_of(folder))
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("{}")
    with pytest.raises(ModelError, match="'converted'") as caught:
        transcript(path, spec_of(folder))
    assert "\n" not in str(caught.value)


def test_an_engine_that_is_not_installed_is_named_with_what_brings_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    for spec in ("speech:model=Systran/faster-whisper-small", "speech:engine=faster-whisper"):
        with pytest.raises(MissingDependencyError, match=r"pip install 'framesift\[speech\]'"):
            transcript(path, spec)


def test_a_model_of_another_kind_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    path = film(tmp_path / "a.mp4", tone(1, 2.0))
    with pytest.raises(ModelError, match=r"of type 'clip', which hears no speech; pass a Whisper"):
        transcript(path, spec_of(tmp_path))


@pytest.mark.slow
def test_a_real_whisper_hears_what_a_voice_says(tmp_path):
    """`FRAMESIFT_WHISPER` names a folder of a real model, of either engine."""
    if "FRAMESIFT_WHISPER" not in os.environ:
        pytest.skip("FRAMESIFT_WHISPER does not name the folder of a Whisper")
    said = ["Welcome to this short recording about video.", "The child is reading a small book."]
    voices = [voice(text, tmp_path) for text in said]
    heard = np.concatenate([silence(4), voices[0], silence(7), voices[1], silence(2)])
    found = transcript(film(tmp_path / "a.mp4", heard), spec_of(os.environ["FRAMESIFT_WHISPER"]))
    starts = 4.0, 11.0 + len(voices[0]) / RATE
    for text, start, samples in zip(said, starts, voices, strict=True):
        end = start + len(samples) / RATE
        lines = [line for line in found.lines if start - 0.5 <= line.start_seconds < end]
        words = re.findall(r"\w+", text.lower())
        known = set(re.findall(r"\w+", " ".join(line.text for line in lines).lower()))
        assert sum(word in known for word in words) >= 0.6 * len(words)
        assert all(line.end_seconds <= end + 0.5 for line in lines)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_sound(tmp_path, ear):
    minute = np.concatenate([np.concatenate([tone(n, 1.6), silence(0.4)]) for n in range(30)])
    peaks = []
    for minutes in (2, 12):
        path = film(tmp_path / f"{minutes}.mp4", np.tile(minute, minutes))
        tracemalloc.start()
        lines = transcript(path, spec_of(tmp_path)).lines
        peaks.append(tracemalloc.get_traced_memory()[1] - 300 * len(lines))
        tracemalloc.stop()
    assert peaks[1] <= 1.15 * peaks[0]
