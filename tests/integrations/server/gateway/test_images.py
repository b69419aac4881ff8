"""Pictures in a row that are frames of a video are shortened; others never are."""

import base64
import io

import pytest
from PIL import Image, ImageDraw

CHAT = "/v1/chat/completions"


def picture(number, size=(96, 64), kind="JPEG"):
    """Returns a part with a picture that has its number as bars; equal numbers look alike."""
    made = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(made)
    for bit in range(6):
        if number >> bit & 1:
            draw.rectangle((bit * size[0] // 6, 0, (bit + 1) * size[0] // 6 - 2, size[1]), "navy")
    file = io.BytesIO()
    made.save(file, kind)
    url = f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def text(words):
    return {"type": "text", "text": words}


def timed(numbers, spelling="[00:{:02}]", **options):
    return [
        part
        for second, number in enumerate(numbers)
        for part in (text(spelling.format(second)), picture(number, **options))
    ]


def asked(content, **fields):
    messages = [{"role": "user", "content": [*content, text("What happens?")]}]
    return {"model": "double", "messages": messages, **fields}


def sent(engine):
    return engine.requests[-1]["messages"][0]["content"]


STILL = [1] * 5 + [2] * 4 + [3] * 3


@pytest.mark.parametrize(
    "spelling", ["[00:{:02}]", "{}.5s", "<{}.0 seconds>", "Frame {}:", "t={}", "Frame {} at {}.5s"]
)
def test_frames_that_show_the_same_go_with_their_times(engine, gateway, spelling):
    content = [
        part
        for second, number in enumerate(STILL)
        for part in (text(spelling.format(second, second)), picture(number))
    ]
    answer = gateway(engine.address).post(CHAT, json=asked([text("Look:"), *content]))
    assert answer.status_code == 200, answer.text
    kept = [part for place in (0, 5, 9) for part in content[2 * place : 2 * place + 2]]
    assert sent(engine) == [text("Look:"), *kept, text("What happens?")]
    told = answer.json()["usage"]["framesift"]
    assert (told["route"], told["frames_before"], told["frames_after"]) == ("frames", 12, 3)
    assert told["visual_tokens_before"] == 12 * 12  # 4 by 3 squares each
    assert told["visual_tokens_after"] == 3 * 12
    assert len(told["times_seconds"][0]) == 3
    assert answer.headers["x-framesift-frames"] == "3"
    assert answer.headers["x-framesift-tokens-before"] == "144"


def test_the_bound_holds_and_order_stays(engine, gateway):
    content = timed(range(40))
    client = gateway(engine.address, frames=10)
    told = client.post(CHAT, json=asked(content)).json()["usage"]["framesift"]
    assert told["frames_after"] == 10
    left = sent(engine)[:-1]
    assert [part for part in content if part in left] == left
    assert told["times_seconds"][0] == sorted(told["times_seconds"][0])
    fewer = asked(content, framesift={"frames": 4})
    assert client.post(CHAT, json=fewer).headers["x-framesift-frames"] == "4"


@pytest.mark.parametrize(
    "content",
    [
        [picture(1)] * 3,
        [picture(1)] * 12,  # of one size in a row, but without a word that they are frames
        timed([1] * 7),
        timed([1] * 6) + timed([1] * 6, size=(64, 96)),
        [part for n in range(1, 9) for part in (text(f"Photo {n}"), picture(1))],
        [part for n in range(1, 9) for part in (text(f"[{n}]"), picture(1))],
        [part for n in range(9) for part in (text(f"[00:0{9 - n}]"), picture(1))],
        [
            part
            for n in range(9)
            for part in (text(f"[00:0{n}]"), picture(1), text("This is the one I mean."))
        ],
        timed(range(1, 13)),
    ],
    ids=[
        *("three", "no times", "few", "two sizes", "captions", "numbers", "falling times"),
        *("text between", "distinct"),
    ],
)
def test_all_other_pictures_stay(engine, gateway, content):
    body = asked(content)
    gateway(engine.address).post(CHAT, json=body)
    assert engine.requests[-1] == body


def test_pictures_in_a_row_are_frames_where_somebody_says_so(engine, gateway):
    content = [picture(number, kind="PNG") for number in STILL]
    client = gateway(engine.address, images="frames")
    answer = client.post(CHAT, json=asked(content))
    assert sent(engine)[:-1] == [content[0], content[5], content[9]]
    assert answer.json()["usage"]["framesift"]["times_seconds"] == [[]]
    kept = asked(content, framesift={"images": "keep"})
    told = client.post(CHAT, json=kept).json()["usage"]
    assert len(sent(engine)) == 13
    assert "framesift" not in told
    other = gateway(engine.address)
    other.post(CHAT, json=asked(content), headers={"X-Framesift-Images": "frames"})
    assert len(sent(engine)) == 4
    photos = asked([picture(1)] * 3, framesift={"images": "frames"})
    other.post(CHAT, json=photos)
    assert len(sent(engine)) == 4  # three, and the question


def test_links_stay(engine, gateway):
    link = {"type": "image_url", "image_url": {"url": "https://a.test/b.jpg"}}
    content = [part for n in range(9) for part in (text(f"[00:0{n}]"), link)]
    gateway(engine.address).post(CHAT, json=asked(content))
    assert engine.requests[-1] == asked(content)


def test_a_video_and_frames_share_the_pictures(engine, gateway):
    video = {"type": "video_url", "video_url": {"url": "synthetic://mixed?seconds=20"}}
    client = gateway(engine.address, allow_synthetic=True, max_pictures=8, frames=8)
    answer = client.post(CHAT, json=asked([video, *timed(range(12))]))
    told = answer.json()["usage"]["framesift"]
    assert (told["frames_before"], told["frames_after"]) == (32, 8)
    pictures = [part for part in sent(engine) if part["type"] == "image_url"]
    assert len(pictures) == 8
    assert [len(times) for times in told["times_seconds"]] == [4, 4]


def test_a_picture_that_is_too_large_is_refused(engine, gateway):
    client = gateway(engine.address, max_pixels=1000)
    answer = client.post(CHAT, json=asked(timed([1] * 8)))
    assert answer.status_code == 413
    assert "pictures of 96x64 pixels are sent as frames" in answer.json()["error"]["message"]


def test_what_is_no_picture_goes_through(engine, gateway):
    """The upstream says what is wrong with it."""
    broken = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}
    content = [part for n in range(9) for part in (text(f"[00:0{n}]"), broken)]
    gateway(engine.address).post(CHAT, json=asked(content))
    assert engine.requests[-1] == asked(content)
