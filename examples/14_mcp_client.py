"""Looks at a video over MCP, as the client of an agent does."""

import argparse
import asyncio

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from framesift_mcp import Tools, create_server


async def main() -> None:
    """Prints the tools, the moment that one finds, and the answer of another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", default="synthetic://number?seed=3")
    parser.add_argument("--question", default="What number flashes?")
    parser.add_argument("--vlm", default="tiny", help="A name, a hub id or a local folder.")
    parser.add_argument("--stdio", action="store_true", help="Start the server as a process.")
    options = parser.parse_args()

    if options.stdio:
        command = StdioServerParameters(command="framesift-mcp", args=["--vlm", options.vlm])
        client = Client(stdio_client(command))
    else:
        client = Client(create_server(Tools(options.vlm)))

    async with client:
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.description}")

        wanted = {"video": options.video, "query": options.question, "images": 1}
        found = await client.call_tool("find_in_video", wanted)
        for block in found.content:
            print(block.text if block.type == "text" else f"an image of {len(block.data)} letters")

        asked = {"video": options.video, "question": options.question}
        answer = (await client.call_tool("ask_video", asked)).structured_content
        print(answer["text"])
        for place in answer["evidence"][:1]:  # None where the answer is that it is not shown.
            print(f"  at {place['start_seconds']:.0f} to {place['end_seconds']:.0f} s")


if __name__ == "__main__":
    asyncio.run(main())
