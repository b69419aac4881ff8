"""Wordings that no training has seen, written before those of the training were.

Training never reads this file; a test keeps it apart from what training draws. The keys are
questions as a video's truth has them; what stands in braces is named by the question.
"""

from __future__ import annotations

import re

NAMED = re.compile(r"\(\?P<(\w+)>[^()]*\)")

QUESTIONS: dict[str, tuple[str, ...]] = {
    "What number flashes in the video?": (
        "What was that number that popped up?",
        "could you read out the number for me",
    ),
    "In which half of the picture does the number flash, left or right?": (
        "Was the number over on the left or over on the right?",
        "left half or right half, where was the number",
    ),
    "What color is the card with the number?": (
        "What's the colour behind the number?",
        "The card that the number is printed on, which color is that?",
    ),
    "Which number is on the {color} card?": (
        "What's written on the {color} card?",
        "the {color} card had which number on it",
    ),
    "What is the {end} number that flashes?": (
        "Which number did we get to see {end}?",
        "Of all the numbers, which one was {end}?",
    ),
    "How many numbers flash in the video?": (
        "What's the total count of numbers on screen?",
        "how many numbers did you spot",
    ),
    "Which way does the {thing} move?": (
        "Where's the {thing} headed?",
        "Describe the direction of travel of the {thing}.",
    ),
    "What color is the {shape}?": (
        "The {shape}, what color would you say it is?",
        "is the {shape} red, green or some other color",
    ),
    "What color is the {shape} at the beginning?": (
        "What color did the {shape} start out with?",
        "Before anything happens, what colour is the {shape}?",
    ),
    "What changed in the video?": (
        "Spot the difference: what is not the same any more?",
        "so what's different compared with the start",
    ),
    "Which shape changed?": (
        "One of the shapes changes. Which one?",
        "Which one of them isn't the same afterwards?",
    ),
    "How many different shapes appear in the video?": (
        "How many shapes can you make out?",
        "number of distinct shapes please",
    ),
    "Is there {thing} in the video?": (
        "Was there {thing} anywhere?",
        "did {thing} show up at any point",
    ),
    "Does anything move in the video?": (
        "Is there any movement going on?",
        "did something move at all",
    ),
    "What does the {shape} do?": (
        "What's the {shape} up to?",
        "Describe how the {shape} behaves.",
    ),
    "What happens first: {one}, or {other}?": (
        "Which came earlier, {one} or {other}?",
        "Two things happen: {one}, and {other}. Which of them was first?",
    ),
    "Which shape is seen last?": (
        "Name the final shape that shows up.",
        "what shape do we get at the very end",
    ),
    "How many different landscapes are shown?": (
        "How many sceneries do we get to see?",
        "through how many landscapes does this go",
    ),
    "Which landscape is shown {end}?": (
        "What kind of scenery comes {end}?",
        "the {end} landscape we get to see is what",
    ),
    "Which landscape comes right after the {name}?": (
        "Once the {name} is over, what do we see next?",
        "which scenery replaces the {name}",
    ),
    "What is the text in the corner?": (
        "Can you make out the little code in the corner?",
        "whats that label in the corner say",
    ),
    "What does the sign on the wall say at the {end}?": (
        "At the {end}, what's written up on the wall?",
        "can you read me the sign that hangs there at the {end}",
    ),
}
"""Questions that the video answers."""

YES_OR_NO: dict[str, tuple[str, ...]] = {
    "Is there {thing} in the video?": (
        "Was there {thing} anywhere?",
        "did {thing} show up at any point",
        "Would I find {thing} in here?",
    ),
    "Does {shape} ever appear in the video?": (
        "Did you notice {shape} at some point?",
        "was {shape} part of this",
    ),
    "Does {card} appear in the video?": (
        "Was {card} held into the picture?",
        "did we get {card} at some point",
    ),
    "Is the number {number} shown in the video?": (
        "Was {number} one of the numbers that popped up?",
        "did a {number} come up anywhere",
    ),
    "Is any number shown in the video?": (
        "Were there any numbers to read?",
        "did some number come up",
    ),
    "Is the {landscape} shown in the video?": (
        "Did we get to see the {landscape} at all?",
        "was the {landscape} among the places",
    ),
    "Is there a sign in the video?": (
        "Was a sign hanging anywhere?",
        "did you spot some sign up there",
    ),
    "Is there a text in the corner?": (
        "Was anything written in one of the corners?",
        "did a corner have some label",
    ),
    "Does the {shape} move?": (
        "Did the {shape} change its place?",
        "was the {shape} on the go",
    ),
}
"""Questions about things that are there and about things that are not."""

LATER_QUESTIONS: dict[str, tuple[str, ...]] = {
    "What number flashes in the video?": ("I missed it, what was the number?",),
    "In which half of the picture does the number flash, left or right?": (
        "Should I look left or right to find the number?",
    ),
    "What color is the card with the number?": ("What shade is the card that carries the number?",),
    "Which number is on the {color} card?": ("Tell me what the {color} card has on it.",),
    "What is the {end} number that flashes?": (
        "If you list the numbers in order, which one is {end}?",
    ),
    "How many numbers flash in the video?": ("How often does a new number flash?",),
    "Which way does the {thing} move?": ("Follow the {thing}: left, right, up or down?",),
    "What color is the {shape}?": ("Could you describe the color of the {shape}?",),
    "What color is the {shape} at the beginning?": ("The {shape} had which color originally?",),
    "What changed in the video?": ("Compare start and finish, what do you notice?",),
    "Which shape changed?": ("Name the shape that did not stay as it was.",),
    "How many different shapes appear in the video?": ("Add up all the different shapes you see.",),
    "Is there {thing} in the video?": ("Is {thing} something that you can find here?",),
    "Does anything move in the video?": ("Would you say that things are in motion here?",),
    "What does the {shape} do?": ("How would you sum up what the {shape} does?",),
    "What happens first: {one}, or {other}?": (
        "Put these in order, which is the earlier one: {one} or {other}?",
    ),
    "Which shape is seen last?": ("By the end, which shape was the last to be there?",),
    "How many different landscapes are shown?": (
        "What is the total number of landscapes that go by?",
    ),
    "Which landscape is shown {end}?": ("Looking at the landscapes, which one do you see {end}?",),
    "Which landscape comes right after the {name}?": (
        "The video cuts away from the {name} to what?",
    ),
    "What is the text in the corner?": ("I can't read it: what is in the corner?",),
    "What does the sign on the wall say at the {end}?": (
        "Somebody hung up a sign, what is on it at the {end}?",
    ),
}
"""As `QUESTIONS`. Those were looked at while wordings for training were still written; these were
written before the last of them, and measure the model that is shipped."""

LATER_YES_OR_NO: dict[str, tuple[str, ...]] = {
    "Is there {thing} in the video?": ("I think I saw {thing}, is that so?",),
    "Does {shape} ever appear in the video?": ("Tell me whether {shape} was ever to be seen.",),
    "Does {card} appear in the video?": ("At some time, was {card} in view?",),
    "Is the number {number} shown in the video?": (
        "Someone claims that {number} was shown, is that right?",
    ),
    "Is any number shown in the video?": ("Is this a video with a number in it?",),
    "Is the {landscape} shown in the video?": ("Does the {landscape} come up among the scenes?",),
    "Is there a sign in the video?": ("Is something like a sign hanging on the wall?",),
    "Is there a text in the corner?": ("Is one of the corners labelled?",),
    "Does the {shape} move?": ("Does the {shape} go from one place to another?",),
}
"""As `YES_OR_NO`, written with `LATER_QUESTIONS`."""

NOT_SHOWN: tuple[str, ...] = (
    "What is the dog's name?",
    "Who is singing in the background?",
    "What time does the clock on the tower show?",
    "how much was the sandwich",
    "Which team scored the second goal?",
    "What's the license plate of the taxi?",
    "Why did the woman leave the restaurant?",
    "What is the recipe for the soup?",
    "Which language do the tourists speak?",
    "what brand of shoes is the runner wearing",
    "How old is the boy on the bicycle?",
    "What does the teacher write on the blackboard?",
    "Which airline is the plane from?",
    "In which year was this recorded?",
    "What is the temperature outside?",
    "whats the wifi password",
    "Who won the election?",
    "What instrument does the girl with the hat play?",
    "What is the capital of the country they visit?",
    "Where did the pirates hide the treasure?",
    "Which street does the bus turn into?",
    "What did the doctor say to the patient?",
    "Who directed it?",
    "What is the cat eating?",
    "What flavor is the ice cream?",
    "How fast was the train going?",
    "which page is the book open on",
    "What is the price of the jacket in the shop window?",
    "What did he put into his pocket?",
    "What is the phone number of the hotel?",
)
"""Questions that no synthetic video answers."""

NEVER_THERE: tuple[str, ...] = (
    "a bicycle",
    "a giraffe",
    "a violin",
    "a coffee cup",
    "a helicopter",
    "a wedding cake",
    "a fire truck",
    "an umbrella",
    "a football",
    "a laptop",
)
"""Things that no synthetic video shows."""


def form_of(pattern: str) -> str:
    """Returns the pattern of a question as the question with its names in braces."""
    return NAMED.sub(r"{\1}", pattern).replace("\\", "")
