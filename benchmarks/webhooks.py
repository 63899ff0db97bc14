"""How soon the receiver of webhooks answers in a flood; Intuit gives it three seconds.

    python benchmarks/webhooks.py [--deliveries 10000] [--connections 20]

The real receiver over HTTP, before a Postgres of its own on this machine. Each delivery is signed,
tells of one event and has a connection of its own, as Intuit's have; this process sends as fast as
it is answered. Every answer must be 200, and every event be kept.
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import logging
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))

from demo import postgres
from quickbooks_crm import database
from quickbooks_crm.webhooks.keeper import Keeper
from quickbooks_crm.webhooks.receiver import PATH, Receiver
from quickbooks_crm.webhooks.server import settings

REALM, TOKEN = "9341452000000001", "a-verifier-token"


def main() -> None:
    """Print the rate and the slowest answers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=20)
    options = parser.parse_args()
    logging.disable()
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp())
    with (
        tempfile.TemporaryDirectory() as directory,
        postgres.cluster(Path(directory), {}) as server,
    ):
        url = server.create_database("webhooks")
        with psycopg.connect(url, autocommit=True) as connection:
            database.migrate(connection)
            connection.execute("INSERT INTO sync.lease (realm, company) VALUES (%s, 'x')", [REALM])
            seconds, answers = _flood(url, options.deliveries, options.connections)
            kept = connection.execute("SELECT count(*) FROM sync.webhook_event").fetchone()
    assert kept == (options.deliveries,)
    answers.sort()
    slow = answers[int(len(answers) * 0.999)]
    print(
        f"{len(answers)} deliveries in {seconds:.1f} s, {60 * len(answers) / seconds:,.0f} a minute"
        f" ({options.connections} connections): half answered within"
        f" {1000 * answers[len(answers) // 2]:.1f} ms, 99.9 % within {1000 * slow:.0f} ms,"
        f" the slowest after {1000 * answers[-1]:.0f} ms"
    )


def _flood(url: str, deliveries: int, connections: int) -> tuple[float, list[float]]:
    """How long it all took, and each answer, in seconds."""
    receiver = Receiver([TOKEN], Keeper(lambda: psycopg.connect(url, autocommit=True)))
    server = uvicorn.Server(settings(receiver, "127.0.0.1", 0))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        began = time.perf_counter()
        with ThreadPoolExecutor(connections) as pool:
            answers = list(pool.map(lambda number: _deliver(port, number), range(deliveries)))
        return time.perf_counter() - began, answers
    finally:
        server.should_exit = True
        thread.join()


def _deliver(port: int, number: int) -> float:
    event = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "type": "qbo.customer.updated.v1",
        "time": "2026-03-17T16:19:17Z",
        "intuitentityid": str(number),
        "intuitaccountid": REALM,
    }
    body = json.dumps([event]).encode()
    digest = hmac.new(TOKEN.encode(), body, hashlib.sha256).digest()
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        signature = {"intuit-signature": base64.b64encode(digest).decode()}
        connection.request("POST", PATH, body, signature)
        assert connection.getresponse().status == 200
    finally:
        connection.close()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
