"""What the gateway adds to a direct call, measured side by side in one run."""

import asyncio
import json
import multiprocessing
import socket
import statistics
import threading
import time

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from framesift_server.gateway import GatewaySettings
from framesift_server.processes import serve

ANSWER_SECONDS = 0.25
"""What an engine takes for a short answer; it answers many at once."""
CLIENTS = 32
BODY = {"model": "m", "messages": [{"role": "user", "content": "What is it? " * 50}]}
MOST_TIMES = 10
"""How many times a direct call a call through the gateway may take; three on a quiet machine."""
LEAST_SHARE = 0.5
"""Of the throughput of direct calls; the gateway and the clients share the processors."""


async def chat(request):
    body = json.loads(await request.body())
    await asyncio.sleep(body.get("seconds", 0.0))
    message = {"role": "assistant", "content": "It is red. " * 20}
    return JSONResponse({"choices": [{"index": 0, "message": message}], "usage": {}})


def run_engine(port):
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="warning")


def run_gateway(upstream, port, folder):
    serve(GatewaySettings(upstream=upstream, port=port, state_folder=folder))


@pytest.fixture
def addresses(tmp_path):
    """An engine and a gateway before it, each a process of its own."""
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    context = multiprocessing.get_context("spawn")
    direct, through = (f"http://127.0.0.1:{port}/v1" for port in ports)
    processes = [
        context.Process(target=run_engine, args=(ports[0],)),
        context.Process(target=run_gateway, args=(direct, ports[1], tmp_path)),
    ]
    for process in processes:
        process.start()
    try:
        deadline = time.monotonic() + 120
        for address in (direct, through):
            while True:
                try:
                    httpx.post(f"{address}/chat/completions", json=BODY).raise_for_status()
                    break
                except httpx.HTTPError:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
        yield direct, through
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(30)


def median_ms(client, address):
    times = []
    for _ in range(50):
        start = time.perf_counter()
        client.post(f"{address}/chat/completions", json=BODY).raise_for_status()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def answers_per_second(address, seconds=4.0):
    counts = [0] * CLIENTS
    end = time.perf_counter() + seconds

    def ask(number):
        with httpx.Client(timeout=60) as client:
            while time.perf_counter() < end:
                body = {**BODY, "seconds": ANSWER_SECONDS}
                client.post(f"{address}/chat/completions", json=body).raise_for_status()
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - start)


@pytest.mark.slow
def test_passing_through_adds_little(addresses, record_property):
    direct, through = addresses
    with httpx.Client(timeout=60) as client:
        rounds = [(median_ms(client, direct), median_ms(client, through)) for _ in range(5)]
    before, after = min(rounds, key=lambda each: each[1] - each[0])  # the quietest of five rounds
    share = max(answers_per_second(through) / answers_per_second(direct) for _ in range(2))
    record_property("added_milliseconds", after - before)
    record_property("throughput_share", share)
    print(f"{before:.2f} ms, through the gateway {after:.2f} ms; throughput {share:.0%}")
    assert after <= MOST_TIMES * before
    assert share >= LEAST_SHARE
