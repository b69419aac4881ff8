"""Where columns stand, with tokenizers that join characters across the borders of a video."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from framesift.errors import ModelError
from framesift.testing import compressed
from framesift.testing.tiny_vlms import CHARACTERS
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.vlms.layout import EXTRA, TEXT, Block, Placeholder, lay_out, reduce

VISUAL = 1
V = Placeholder(item="video", text="<v>", visual_id=VISUAL, modality="video")


def tokenizer_of(*joined):
    """Returns a tokenizer that keeps the given pieces of text whole."""
    words = ["<unk>", "<v>", "</v>", *CHARACTERS, *joined]
    inner = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>")
    )
    pattern = "|".join([*joined, r"[\s\S]"])
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", additional_special_tokens=["<v>", "</v>"]
    )


def video_of(kept, frames=3, patches=2):
    tokens = VideoTokens(
        features=torch.zeros(frames, patches, 4),
        grid=(1, patches),
        pts_seconds=torch.arange(float(frames)),
    )
    plan = TokenPlan.keep(torch.tensor(kept), num_in=frames * patches, tokens_per_frame=patches)
    return compressed(tokens, plan)


def run(rendered, videos, blocks, *joined):
    tokenizer = tokenizer_of(*joined)
    layout = lay_out(rendered, videos, blocks, [V] * len(videos), tokenizer=tokenizer, known=[V])
    reduced = reduce(layout, torch.arange(len(layout.ids)), videos)
    return layout, reduced, "".join(tokenizer.convert_ids_to_tokens(reduced.ids))


def marked(frames=3):
    """Returns one item whose frames are numbered in the text."""
    return [[Block(frames=range(i, i + 1), before=f"F{i}", after="</v>\n") for i in range(frames)]]


def test_the_text_of_a_frame_goes_with_its_last_token():
    layout, reduced, text = run("a<v>b", [video_of([1, 4, 5])], [marked()])
    assert text == "aF0<v></v>\nF2<v><v></v>\nb"
    full = "aF0<v><v></v>\nF1<v><v></v>\nF2<v><v></v>\nb"
    assert len(layout.ids) == len(full.replace("<v>", "1").replace("</v>", "2"))
    assert reduced.positions.tolist() == [0, 1, 2, 4, 5, 6, 13, 14, 15, 16, 17, 18, 19]
    assert reduced.rows[reduced.rows >= 0].tolist() == [0, 1, 2]


def test_a_token_that_reaches_into_the_question_stays():
    _, reduced, text = run("a<v>bc", [video_of([0])], [marked()], "\nb")
    assert text == "aF0<v></v>\n\nbc"
    layout, _, whole = run("a<v>bc", [video_of(range(6))], [marked()], "\nb")
    assert whole == "aF0<v><v></v>\nF1<v><v></v>\nF2<v><v></v>\nbc"
    assert layout.prefix == len(layout.ids) - 2
    assert reduced.prefix == len(reduced.ids) - 2


def test_the_prefix_ends_with_the_special_tokens_that_end_the_video():
    layout, reduced, _ = run("a<v>b", [video_of([0, 5])], [marked()])
    assert layout.ids[layout.prefix - 2 : layout.prefix].tolist() == [VISUAL, 2]
    assert reduced.ids[reduced.prefix - 2 : reduced.prefix].tolist() == [VISUAL, 2]


def test_one_run_for_all_frames_keeps_its_text():
    items = [[Block(frames=range(3), before="[", after="]", extra=1)]]
    _, reduced, text = run("a<v>b", [video_of([5])], [items])
    assert text == "a[<v><v>]b"
    assert reduced.rows.tolist() == [TEXT, TEXT, 0, EXTRA, TEXT, TEXT]
    assert reduced.positions.tolist() == [0, 1, 7, 8, 9, 10]


def test_what_stands_between_two_frames_goes_with_the_first():
    items = [[Block(frames=range(i, i + 1))] for i in range(3)]
    for kept, expected in (
        ([0, 5], "a<v>, <v>, b"),
        ([2], "a<v>, b"),
        ([4], "a<v>, b"),
        ([0, 1, 2, 3, 4, 5], "a<v><v>, <v><v>, <v><v>, b"),
    ):
        assert run("a<v>, <v>, <v>, b", [video_of(kept)], [items])[2] == expected
    assert run("a<v>, <v>, <v>b", [video_of([0])], [items])[2] == "a<v>, b"


def test_videos_do_not_take_each_others_text():
    items = [[Block(frames=range(i, i + 1))] for i in range(2)]
    videos = [video_of([0], 2), video_of([3], 2)]
    layout, reduced, text = run("a<v>;<v>;<v>;<v>;b", videos, [items, items])
    assert text == "a<v>;<v>;b"
    assert reduced.rows[reduced.rows >= 0].tolist() == [0, 1]
    assert layout.frame.unique().tolist() == [-1, 0, 1, 2, 3]


def test_a_merged_row_stands_in_the_frame_of_its_mean():
    tokens = VideoTokens(features=torch.zeros(4, 2, 4), grid=(1, 2), pts_seconds=torch.arange(4.0))
    group = torch.tensor([0, -1, 0, 1, -1, -1, 1, -1])
    video = compressed(tokens, TokenPlan.merge(group, tokens_per_frame=2))
    _, reduced, text = run("a<v>b", [video], [marked(4)])
    assert text == "aF1<v></v>\nF2<v></v>\nb"
    assert reduced.positions[reduced.rows >= 0].tolist() == [9, 16]


def test_positions_of_three_axes_are_averaged_one_by_one():
    video = video_of([1, 4])
    tokenizer = tokenizer_of()
    layout = lay_out("a<v>b", [video], [marked()], [V], tokenizer=tokenizer)
    axes = torch.stack([torch.arange(len(layout.ids)) * step for step in (1, 2, 3)])
    reduced = reduce(layout, axes, [video])
    flat = reduce(layout, axes[0], [video])
    assert torch.equal(reduced.positions, torch.stack([flat.positions * s for s in (1, 2, 3)]))


def test_visual_tokens_that_no_video_stands_for_are_refused():
    with pytest.raises(ModelError, match="reads 2 times '<v>'") as error:
        lay_out(
            "a[video]<v>b",
            [video_of([0])],
            [[[Block(frames=range(3))]]],
            [replace(V, text="[video]")],
            tokenizer=tokenizer_of(),
        )
    assert "\n" not in str(error.value)


def test_a_prompt_without_videos_is_its_text():
    layout, reduced, text = run("hello", [], [])
    assert text == "hello"
    assert layout.prefix == reduced.prefix == 0
    assert reduced.positions.tolist() == [0, 1, 2, 3, 4]


def test_merged_rows_stand_in_the_order_of_their_places():
    tokens = VideoTokens(features=torch.zeros(1, 6, 4), grid=(2, 3), pts_seconds=torch.arange(1.0))
    # The first row spans the frame, so that it stands behind the second one.
    group = torch.tensor([0, 1, -1, -1, -1, 0])
    video = compressed(tokens, TokenPlan.merge(group, tokens_per_frame=6))
    _, reduced, _ = run("a<v>b", [video], [[[Block(frames=range(1))]]])
    assert reduced.rows.tolist() == [TEXT, 1, 0, TEXT]
    assert reduced.positions.tolist() == [0, 2, 5, 7]
