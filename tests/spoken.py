"""Videos with sound whose content is known: tones that name their second, and a synthetic voice."""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

RATE = 16_000
FIRST_HZ, STEP_HZ = 300, 50


def tone(number: int, seconds: float = 1.0) -> np.ndarray:
    """Returns a tone `(S,)` by which `number_in` finds a number again, from 0 to 99."""
    steps = np.arange(round(seconds * RATE))
    return (0.4 * np.sin(2 * np.pi * (FIRST_HZ + STEP_HZ * number) * steps / RATE)).astype("f4")


def number_in(samples: np.ndarray) -> int:
    """Returns the number of the tone that most of some sound is."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return round((np.argmax(spectrum) * RATE / len(samples) - FIRST_HZ) / STEP_HZ)


def silence(seconds: float) -> np.ndarray:
    """Returns no sound at all `(S,)`."""
    return np.zeros(round(seconds * RATE), dtype="f4")


def film(
    path: Path,
    sound: np.ndarray,
    *,
    sound_seconds: float = 0.0,
    seconds: float | None = None,
    codec: str = "aac",
    streams: Sequence[np.ndarray] = (),
) -> Path:
    """Returns `path`, a grey video of one frame a second with sound.

    Args:
        path: of the file, whose ending says the container.
        sound: `(S,)`, 16,000 samples a second.
        sound_seconds: when the sound begins.
        seconds: length of the pictures; None for that of the sound.
        codec: of the sound.
        streams: further sounds, which no player chooses.
    """
    length = sound_seconds + len(sound) / RATE if seconds is None else seconds
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=1, options={"g": "2", "preset": "ultrafast", "threads": "1"}
        )
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        heard: list[Any] = [
            container.add_stream(codec, rate=RATE, layout="mono") for _ in (sound, *streams)
        ]
        grey = np.full((32, 32, 3), 128, dtype=np.uint8)
        for number in range(max(1, round(length))):
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for target, samples in zip(heard, (sound, *streams), strict=True):
            _mux(container, target, samples, round(sound_seconds * RATE))
    return path


def _mux(container: Any, stream: Any, samples: np.ndarray, first: int) -> None:
    form = stream.codec_context.format.name
    for start in range(0, len(samples), 1024):
        part = samples[None, start : start + 1024]
        if form.startswith("s16"):
            part = (part * 32767).astype("i2")
        frame = av.AudioFrame.from_ndarray(part, format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, first + start, Fraction(1, RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def voice(text: str, folder: Path, language: str = "en-us") -> np.ndarray:
    """Returns a text that espeak-ng speaks `(S,)`; skips the test where there is no espeak-ng."""
    if shutil.which("espeak-ng"):
        path = folder / "voice.wav"
        subprocess.run(["espeak-ng", "-v", language, "-w", str(path), text], check=True)
        with wave.open(str(path)) as file:
            samples, rate = np.frombuffer(file.readframes(2**31 - 1), "i2"), file.getframerate()
    elif importlib.util.find_spec("espeakng_loader"):
        samples, rate = _by_library(text, language)
    else:
        pytest.skip("neither espeak-ng nor the package espeakng-loader is installed")
    times = np.arange(len(samples) * RATE // rate) * rate / RATE
    return np.interp(times, np.arange(len(samples)), samples / 32768).astype("f4")


def _by_library(text: str, language: str) -> tuple[np.ndarray, int]:
    """Returns what the library of espeak-ng speaks `(S,)` int16, and its rate."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)
    spoken: list[np.ndarray] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def hear(samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(hear)
    library.espeak_SetVoiceByName(language.encode())
    content = text.encode() + b"\0"
    library.espeak_Synth(content, ctypes.c_size_t(len(content)), 0, 0, 0, 1, None, None)
    library.espeak_Synchronize()
    return np.concatenate(spoken), rate
