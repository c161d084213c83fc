#!/usr/bin/python3
"""test_http.py - /metrics, /healthz and /readyz, for peers that behave and for those that do not.

In: a daemon with two agencies and a worker. Out: numbers that agree with what was done, and no name in them. Promise:
waits are for conditions; what is told is checked by Prometheus' own promtool.
"""
import http.client
import re
import shutil
import socket
import subprocess
import time
import unittest
import unittest.mock

import peer
import test_lanes

LIMIT_S = 20
CONNECTIONS = 32  # http.c
DEADLINE_S = 5


def parse(text):
    """{'name{labels}': value}"""
    return {m[1]: float(m[2]) for m in re.finditer(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


class Http(test_lanes.LaneTest):
    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection(self.daemon.http, timeout=LIMIT_S)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, body

    def scrape(self):
        status, _, body = self.get("/metrics")
        self.assertEqual(status, 200)
        return parse(body)

    def scraped(self, name, value):
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            found = self.scrape().get(name)
            if found == value:
                return
        self.fail(f"{name} is {found}, not {value}")

    def raw(self):
        host, port = self.daemon.http.split(":")
        connection = socket.create_connection((host, int(port)), timeout=LIMIT_S)
        self.addCleanup(connection.close)
        return connection


class Metrics(Http):
    def test_what_was_done_is_counted(self):
        before = self.scrape()
        self.assertEqual(before['linkages_events_accepted_total{source="calsaws"}'], 0)
        self.cross()
        after = self.scrape()
        self.assertEqual(after['linkages_events_accepted_total{source="calsaws"}'], 3)
        self.assertEqual(after['linkages_events_accepted_total{source="cws-cms"}'], 2)
        found = after['linkages_notices_total{kind="crossover.found",level="registry",state="new"}']
        self.assertEqual(found, 2)
        told = sum(v for k, v in after.items() if k.startswith("linkages_notices_total{") and 'state="new"' in k)
        self.assertEqual(after["linkages_notices_unanswered"], told)
        self.assertGreaterEqual(after['linkages_disclosures_total{level="registry"}'], found)
        self.assertEqual(after["linkages_commit_seconds_count"], after["linkages_batch_events_count"])
        self.assertEqual(after["linkages_batch_events_sum"], 5)
        self.assertEqual(after["linkages_wake_lag_seconds"], 0)
        self.assertEqual(after["linkages_log_events"], 5)
        self.assertEqual(after["linkages_clock_manual"], 1)

    def test_a_notice_that_is_answered(self):
        self.cross()
        told = self.scrape()["linkages_notices_unanswered"]
        worker = self.worker(["garcia"])
        worker.catch_up()
        notice = worker.store["garcia"]["notices"][1]["id"]
        worker.send("answer", session=worker.session, worker="garcia", notice=notice)
        worker.expect("answered")
        self.assertEqual(self.scrape()["linkages_notices_unanswered"], told - 1)

    def test_a_count_of_what_waits_survives_a_restart(self):
        self.cross()
        told = self.scrape()["linkages_notices_unanswered"]
        self.daemon.stop()
        self.daemon.start()
        after = self.scrape()
        self.assertEqual(after["linkages_notices_unanswered"], told)
        self.assertEqual(after['linkages_events_accepted_total{source="calsaws"}'], 0)
        self.scraped("linkages_mailbox_waiting_notices", told)
        self.scraped("linkages_families", 1)
        self.scraped("linkages_mailboxes_waiting", 2)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (Debian: prometheus)")
    def test_promtool_finds_nothing_to_say(self):
        self.cross()
        result = subprocess.run(["promtool", "check", "metrics"], input=self.get("/metrics")[2], capture_output=True,
                                text=True, check=False)
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_nobody_is_named(self):
        self.cross()
        body = self.get("/metrics")[2]
        for name in ("garcia", "jones", "0123-4567", "1B2C3D4", "district", "operator"):
            self.assertNotIn(name, body)

    def test_a_refusal_has_its_reason(self):
        self.cross()
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        feed.publish({"specversion": "1.0", "id": "x1", "source": "cws-cms", "type": "no.such", "subject": "1",
                      "time": "2026-03-02T09:00:00-08:00", "data": {}})
        self.scraped('linkages_events_refused_total{source="cws-cms",reason="unknown_type"}', 1)


class Pages(Http):
    def test_alive_and_ready(self):
        self.assertEqual(self.get("/healthz")[0], 200)
        until = time.monotonic() + LIMIT_S
        while self.get("/readyz")[0] != 200 and time.monotonic() < until:
            pass
        self.assertEqual(self.get("/readyz"), (200, unittest.mock.ANY, "ready\n"))

    def test_what_is_asked_for_otherwise(self):
        self.assertEqual(self.get("/")[0], 404)
        self.assertEqual(self.get("/metrics/../etc/passwd")[0], 404)
        status, headers, _ = self.get("/metrics", method="POST")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        status, headers, body = self.get("/metrics", method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)
        self.assertEqual(self.get("/metrics?name=x")[0], 200)
        self.assertEqual(self.get("/metrics", padding="x" * 5000)[0], 431)

    def test_garbage_and_a_peer_that_says_no_more(self):
        for said, status in ((b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"), (b"GET /metrics\r\n\r\n", b"400"),
                             (b"GET /healthz HTTP/1.0\r\n\r\n", b"200")):
            rude = self.raw()
            rude.sendall(said)
            rude.shutdown(socket.SHUT_WR)
            answer = b""
            while part := rude.recv(4096):
                answer += part
            self.assertEqual(answer.split()[1], status, said)

    def test_a_slow_one_is_ended_and_delays_nobody(self):
        slow = self.raw()
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        self.assertEqual(self.get("/healthz")[0], 200)
        began = time.monotonic()
        self.assertEqual(slow.recv(1), b"")
        self.assertLess(time.monotonic() - began, DEADLINE_S + LIMIT_S)
        self.assertEqual(self.scrape()["linkages_http_turned_away_total"], 1)

    def test_too_many(self):
        held = [self.raw() for _ in range(CONNECTIONS)]
        one_more = self.raw()
        self.assertEqual(one_more.recv(1), b"")
        for connection in held:
            connection.close()
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            try:
                return self.assertEqual(self.get("/healthz")[0], 200)
            except (ConnectionError, http.client.HTTPException):
                pass
        self.fail("nobody is let in any more")


class Off(Http):
    def configure(self):
        with open(self.daemon.path("linkages.yaml"), encoding="utf-8") as f:
            text = f.read()
        self.daemon.write("linkages.yaml", text.replace(f"tcp://{self.daemon.http}", "off"))

    def test_off_is_off(self):
        with self.assertRaises(ConnectionRefusedError):
            self.raw()
        self.assertIn("http=off", self.daemon.said())


if __name__ == "__main__":
    unittest.main()
