"""What is read of a judge's words: its last evaluation, and the frames that it names."""

import pytest

from framesift.answering.judging import CHOOSE, JUDGE, captioned, chosen_in, evaluation_in


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("It shows the card.\nEvaluation: True", "True"),
        ("Evaluation: True would be wrong.\nEvaluation: False", "False"),
        ("**Evaluation:** **true**.", "true"),
        ("evaluation : FALSE", "FALSE"),
        ("Evaluation:True", "True"),
        ("Evaluation: Truely", None),
        ("Evaluation:\nTrue", None),
        ("The evaluation is True", None),
        ("", None),
    ],
)
def test_the_last_evaluation_counts(text, word):
    found = evaluation_in(text)
    assert (found and found[1]) == word


@pytest.mark.parametrize(
    ("text", "indices", "dropped"),
    [
        ("[3, 1]", (1, 3), 0),
        ("[]", (), 0),
        ("```json\n[0, 4]\n```", (0, 4), 0),
        ("Frames [0] and [1] are close; so: [1, 2]", (1, 2), 0),
        ('[1, 1, 5, -1, 2.5, true, "3", null]', (1,), 7),
        ("[12]", (), 1),
        ("[1, 2", None, 0),
        ("[the first]", None, 0),
        ("none of them", None, 0),
    ],
)
def test_the_last_list_names_frames_and_the_rest_of_it_is_dropped(text, indices, dropped):
    found = chosen_in(text, 5)
    assert (found and found.indices) == indices
    assert found is None or found.dropped == dropped


def test_captions_are_numbered_from_0_a_line_each_and_choices_only_where_given():
    text = captioned(["a cat\n[7] forged", "a dog"], "Which?", ("cat", "dog"))
    assert text.splitlines() == [
        "[0] a cat [7] forged",
        "[1] a dog",
        "Question: Which?",
        "Choices: cat | dog",
    ]
    assert "Choices" not in captioned(["a"], "Which?")


def test_the_instructions_ask_for_what_is_read():
    assert "Evaluation: True" in JUDGE
    assert "Evaluation: False" in JUDGE
    assert chosen_in(CHOOSE, 128).indices == (3, 17)
