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
LEAST_ROUNDS, MOST_ROUNDS = 5, 15
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


def answers_per_second(client, address, seconds=2.0):
    counts = [0] * CLIENTS
    end = time.perf_counter() + seconds

    def ask(number):
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


def paired(measure, is_enough):
    """Returns pairs of direct and through the gateway, side by side; more where others took time.

    A pair in which something else took the processors says nothing, so that the figures are those
    of the pair in the middle, and one that is good enough shows what the gateway can do.
    """
    pairs = [measure() for _ in range(LEAST_ROUNDS)]
    while len(pairs) < MOST_ROUNDS and not any(map(is_enough, pairs)):
        pairs.append(measure())
    return pairs


@pytest.mark.slow
def test_passing_through_adds_little(addresses, record_property):
    def is_quick(pair):
        return pair[1] <= MOST_TIMES * pair[0]

    def has_throughput(pair):
        return pair[1] >= LEAST_SHARE * pair[0]

    with httpx.Client(timeout=60) as client:
        waits = paired(lambda: [median_ms(client, each) for each in addresses], is_quick)
        rates = paired(
            lambda: [answers_per_second(client, each) for each in addresses], has_throughput
        )
    added = statistics.median(after - before for before, after in waits)
    share = statistics.median(after / before for before, after in rates)
    record_property("added_milliseconds", added)
    record_property("throughput_share", share)
    shown = [f"{before:.0f}/{after:.0f}" for before, after in rates]
    print(f"adds {added:.2f} ms; throughput {share:.0%}, answers per second {' '.join(shown)}")
    assert any(map(is_quick, waits))
    assert any(map(has_throughput, rates))
