"""Lets any OpenAI-compatible endpoint find the moment of a video and answer from its frames."""

import argparse
import json
import os
from typing import Any
from urllib.request import Request, urlopen

from _stub_endpoint import stub_endpoint

import framesift
from framesift.export.engines import openai_content

ARGUMENTS = {"video": {"type": "string"}, "query": {"type": "string"}}
FIND = {
    "name": "find_in_video",
    "description": "Find the moments of a video that a query is about, and show their frames.",
    "parameters": {"type": "object", "properties": ARGUMENTS, "required": ["video", "query"]},
}


def says(base_url: str, model: str, messages: list[Any]) -> dict[str, Any]:
    """Returns the next message of the endpoint."""
    tools = [{"type": "function", "function": FIND}]
    body = json.dumps({"model": model, "messages": messages, "tools": tools}).encode()
    key = os.environ.get("OPENAI_API_KEY", "none")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    with urlopen(Request(f"{base_url}/chat/completions", body, headers), timeout=300) as response:
        return json.load(response)["choices"][0]["message"]


def main() -> None:
    """Prints the moments that the endpoint has found, and its answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="Finds the moments, on this machine.")
    parser.add_argument("--base-url", help="Such as http://localhost:8000/v1; a stub by default.")
    parser.add_argument("--model", default="stub", help="The endpoint's name of its model.")
    options = parser.parse_args()

    # What the endpoint asks for comes from outside, so that it must not name files.
    limits = framesift.FetchLimits(allow_files=False)
    sift = framesift.VideoCompressor(vlm=options.vlm, limits=limits)
    base_url = options.base_url or stub_endpoint(options.video, options.question)
    messages: list[Any] = [
        {"role": "user", "content": f"{options.question} The video is {options.video}"}
    ]
    while calls := (said := says(base_url, options.model, messages)).get("tool_calls"):
        messages.append(said)
        frames = []
        for call in calls:
            moments = sift.find(**json.loads(call["function"]["arguments"]))
            frames += [moment.keyframe for moment in moments]
            parts = [moment.segment for moment in moments]
            times = ", ".join(f"{p.start_seconds:.1f}-{p.end_seconds:.1f} s" for p in parts)
            times = times or "no moment of the video is like that"
            print(f"{call['function']['name']}: {times}")
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": times})
        # The result of a tool is text in this format; its pictures follow as the user's.
        if frames:
            shown = openai_content(frames, options.question, max_side_px=512)
            messages.append({"role": "user", "content": shown})
    print(said["content"])


if __name__ == "__main__":
    main()
