"""An agent starts the server and lists its tools at once: the model comes with the first call."""

import subprocess
import sys


def test_listing_tools_imports_neither_torch_nor_transformers():
    code = (
        "import asyncio, sys\n"
        "from framesift_mcp import create_server\n"
        "tools = asyncio.run(create_server().list_tools())\n"
        "print(len(tools), *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *loaded = out.stdout.split()
    assert count == "5"
    heavy = {"torch", "transformers", "matplotlib", "benchmarks", "numpy", "av", "PIL", "yt_dlp"}
    assert not heavy & set(loaded)
