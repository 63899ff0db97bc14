"""How many pages of 1000 customers the simulator serves in a second, on one core.

    python benchmarks/simulator_pages.py [--customers 100000] [--pages 1000] [--connections 2]

Measured end to end over HTTP with connections kept alive: the server is held to one core, this
process asks from another one. Every page is asked for by the statement of a full read, and its
length is checked, so that a fault is never counted as a page.
"""

import argparse
import base64
import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
REALM = "9341452000000001"
STATEMENT = (
    "SELECT * FROM Customer WHERE Active IN (true,false)"
    " ORDERBY Id STARTPOSITION {start} MAXRESULTS 1000"
)


def main() -> None:
    """Print the rate, and how it was taken."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--port", type=int, default=8799)
    options = parser.parse_args()
    server = _served(options.customers, options.port)
    try:
        token = _token(options.port)
        _pages(options.port, token, range(1, 2))  # sorts once, as the first page of any read does
        starts = [1 + 1000 * (page % (options.customers // 1000)) for page in range(options.pages)]
        shares = [starts[place :: options.connections] for place in range(options.connections)]
        began, busy = time.perf_counter(), _cpu_seconds(server.pid)
        with ThreadPoolExecutor(options.connections) as pool:
            sizes = list(pool.map(lambda share: _pages(options.port, token, share), shares))
        seconds, busy = time.perf_counter() - began, _cpu_seconds(server.pid) - busy
    finally:
        server.terminate()
        server.wait()
    megabytes = sum(sizes) / 1e6
    print(
        f"{options.pages} pages of 1000 rows, {megabytes:.0f} MB, in {seconds:.2f} s:"
        f" {options.pages / seconds:.0f} pages/s ({options.connections} connections;"
        f" the server was busy for {busy:.2f} s of one core)"
    )


def _served(customers: int, port: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "simulator", "--no-throttle", "--port", str(port)]
    counts = ["--customers", str(customers), "--items", "10", "--invoices", "0"]
    server = subprocess.Popen([*command, *counts], cwd=ROOT, stdout=subprocess.PIPE)
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(server.pid, {cores[0]})
        os.sched_setaffinity(0, set(cores[1:]) or set(cores))
    if server.stdout is None or not server.stdout.readline():
        raise SystemExit("the simulator did not start")
    while True:
        try:
            http.client.HTTPConnection(HOST, port, timeout=5).request("GET", "/health")
            return server
        except ConnectionRefusedError:
            time.sleep(0.05)


def _token(port: int) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    basic = base64.b64encode(b"simulator-client:simulator-secret").decode()
    body = urlencode({"grant_type": "refresh_token", "refresh_token": "simulator-refresh-token"})
    headers = {
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", "/oauth2/v1/tokens/bearer", body, headers)
    return str(json.loads(connection.getresponse().read())["access_token"])


def _pages(port: int, token: str, starts: "range | list[int]") -> int:
    """The bytes of these pages, asked one after the other on one connection."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    size = 0
    for start in starts:
        query = urlencode({"query": STATEMENT.format(start=start), "minorversion": 75})
        connection.request("GET", f"/v3/company/{REALM}/query?{query}", headers=headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200 and b'"maxResults":1000' in body[-120:], body[-300:]
        size += len(body)
    return size


def _cpu_seconds(pid: int) -> float:
    """How long a process has computed; 0 where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
