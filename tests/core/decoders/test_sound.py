"""Sound comes on the clock of the pictures, whatever the container, the part or the damage."""

import av
import numpy as np
import pytest

from framesift.decoders.sound import RATE, sound
from framesift.testing.videos import joined, write_video
from spoken import film, number_in, silence, tone

NUMBERS = np.concatenate([tone(number) for number in range(12)])


def numbers_heard(path, **options):
    """Returns which tone is heard in the middle of each second, by that second; and warnings."""
    warnings, found = [], {}
    heard = np.full(14 * RATE, np.nan, dtype=np.float32)
    for piece in sound(path, warn=warnings.append, **options):
        first = round(piece.start_seconds * RATE)
        part = heard[first : first + len(piece.samples)]
        part[:] = piece.samples[: len(part)]
    for second in range(14):
        middle = heard[second * RATE + RATE // 4 : second * RATE + RATE * 3 // 4]
        if not np.isnan(middle).any():
            found[second] = number_in(middle)
    return found, warnings


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.ts", "aac"), ("a.mov", "pcm_s16le")],
)
def test_each_second_of_sound_is_heard_in_its_second(tmp_path, name, codec):
    found, warnings = numbers_heard(film(tmp_path / name, NUMBERS, codec=codec))
    assert found == {second: second for second in range(12)}
    assert warnings == []


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_sound_that_begins_late_is_heard_late(tmp_path, ending):
    path = film(tmp_path / f"late{ending}", NUMBERS[: 3 * RATE], sound_seconds=2, seconds=6)
    assert numbers_heard(path)[0] == {2: 0, 3: 1, 4: 2}


def test_a_part_is_heard_alone_at_its_own_times(tmp_path):
    path = film(tmp_path / "a.mp4", NUMBERS)
    assert numbers_heard(path, part_seconds=(8.0, 11.0))[0] == {8: 8, 9: 9, 10: 10}
    pieces = list(sound(path, part_seconds=(8.25, 8.5), warn=pytest.fail))
    assert pieces[0].start_seconds == pytest.approx(8.25, abs=1e-3)
    assert pieces[-1].end_seconds == pytest.approx(8.5, abs=1e-3)
    assert list(sound(path, part_seconds=(12.5, float("inf")), warn=pytest.fail)) == []


def test_joined_recordings_are_heard_one_after_the_other(tmp_path):
    parts = [
        film(tmp_path / f"{place}.ts", NUMBERS[place * 4 * RATE : (place + 1) * 4 * RATE])
        for place in (0, 1, 2)
    ]
    found, _ = numbers_heard(joined(tmp_path / "joined.ts", parts))
    assert found == {second: second for second in range(12)}


def test_the_sound_that_players_choose_is_heard(tmp_path):
    path = film(tmp_path / "two.mkv", tone(3, 2.0), streams=[tone(9, 2.0)])
    assert numbers_heard(path)[0][0] == 3


def test_a_video_without_sound_says_so_in_one_line(tmp_path):
    warnings = []
    assert list(sound(write_video(tmp_path / "mute.mp4"), warn=warnings.append)) == []
    assert warnings == ["'mute.mp4' has no sound, so nothing is heard in it"]


def test_damage_costs_what_is_damaged_and_moves_nothing(tmp_path):
    path = film(tmp_path / "a.mkv", NUMBERS, codec="flac")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 20] = bytes(len(content) // 20)
    path.write_bytes(content)
    found, _ = numbers_heard(path)
    assert len(found) >= 8
    assert all(number == second for second, number in found.items())


def test_sound_of_which_nothing_can_be_decoded_is_left_out_with_a_warning(tmp_path):
    path = film(tmp_path / "a.mp4", NUMBERS)
    content = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(container.streams.audio[0]) if p.size]
    for place, size in packets:
        content[place : place + size] = b"\xff" * size
    path.write_bytes(content)
    warnings = []
    assert list(sound(path, warn=warnings.append)) == []
    assert len(warnings) == 1
    assert "the sound of 'a.mp4' is damaged: none of it can be decoded" in warnings[0]


def test_silence_is_sound_too(tmp_path):
    pieces = list(sound(film(tmp_path / "a.mp4", silence(2.0)), warn=pytest.fail))
    assert sum(len(piece.samples) for piece in pieces) >= 2 * RATE


def test_sound_that_is_no_number_or_too_loud_is_bounded(tmp_path):
    wild = NUMBERS[: 2 * RATE].copy()
    wild[::7], wild[::11], wild[::13] = np.nan, np.inf, 1e30
    pieces = list(sound(film(tmp_path / "a.mkv", wild, codec="pcm_f32le"), warn=pytest.fail))
    assert all(np.abs(piece.samples).max() <= 1 for piece in pieces)
